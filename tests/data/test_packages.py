import io
import os
import subprocess
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from instructglm.core.errors import DataError, StorageError
from instructglm.data import archives, packages
from instructglm.data.archives import is_archive, unpack
from instructglm.data.packages import resolve, resolve_all

# A build backend of its own, so that pip needs neither a network nor setuptools to learn the metadata.
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
METADATA = "Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\n"
BACKEND = f"""
import pathlib
def prepare_metadata_for_build_wheel(folder, settings=None):
    info = pathlib.Path(folder, "tiny_data-1.0.dist-info")
    info.mkdir()
    (info / "METADATA").write_text({METADATA!r})
    return info.name
"""


def tar_bytes(members, mode="w:gz"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zip_bytes(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def sdist():
    inner = tar_bytes({"set/a.txt": b"one", "set/b.txt": b"two", "set/notes.md": b"-"})
    return tar_bytes(
        {
            "tiny_data-1.0/PKG-INFO": METADATA.encode(),
            "tiny_data-1.0/pyproject.toml": PYPROJECT.encode(),
            "tiny_data-1.0/backend.py": BACKEND.encode(),
            "tiny_data-1.0/extra/inner.tar.gz": inner,
            "tiny_data-1.0/plain/c.txt": b"three",
        }
    )


def wheel():
    info = "tiny_data-1.0.dist-info"
    return zip_bytes(
        {
            "tiny_data/d.yml": b"four",
            f"{info}/METADATA": METADATA.encode(),
            f"{info}/RECORD": b"",
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
    )


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip takes packages from, alone, and an empty cache."""
    folder = tmp_path / "index"
    folder.mkdir()
    (folder / "tiny_data-1.0.tar.gz").write_bytes(sdist())
    (folder / "tiny_data-1.0-py3-none-any.whl").write_bytes(wheel())
    for name, value in {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder),
        "INSTRUCTGLM_CACHE": str(tmp_path / "cache"),
    }.items():
        monkeypatch.setenv(name, value)
    return folder


def test_reads_through_a_nested_archive_and_needs_the_index_once(index):
    uri = "pypi:tiny-data==1.0/extra/inner.tar.gz/set/a.txt"
    assert resolve(uri).read_text() == "one"
    for file in index.iterdir():
        file.unlink()
    assert resolve(uri).read_text() == "one"
    assert resolve("pypi:Tiny_Data==1.0/plain/c.txt").read_text() == "three"
    assert resolve("pypi:tiny-data==1.0/extra/inner.tar.gz").name == "inner.tar.gz"


def test_a_glob_in_the_last_part_gives_all_files_by_name(index):
    found = resolve_all("pypi:tiny-data==1.0/extra/inner.tar.gz/set/*.txt")
    assert [path.read_text() for path, _uri in found] == ["one", "two"]
    shown = [uri for _path, uri in found]
    assert shown == [f"pypi:tiny-data==1.0/extra/inner.tar.gz/set/{name}.txt" for name in "ab"]
    assert [resolve(uri) for uri in shown] == [path for path, _uri in found]
    with pytest.raises(DataError, match="found 2 files; expected one"):
        resolve("pypi:tiny-data==1.0/extra/inner.tar.gz/set/*.txt")


def test_a_wheel_has_no_top_folder_to_strip(index):
    assert resolve("pypi-wheel:tiny-data==1.0/tiny_data/d.yml").read_text() == "four"


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("plain/cc.txt", "no file 'cc.txt' in pypi:tiny-data==1.0/plain\nDid you mean c.txt"),
        ("plane/c.txt", "no folder or archive 'plane' in pypi:tiny-data==1.0\nDid you mean plain"),
        ("plain/c.txt/x", "no folder or archive 'c.txt'"),
        ("plain/*.json", "no file '*.json'"),
        ("plain", "no file 'plain'"),
    ],
)
def test_a_member_that_is_not_there_names_the_near_ones(index, member, message):
    with pytest.raises(DataError) as caught:
        resolve_all(f"pypi:tiny-data==1.0/{member}")
    assert message in str(caught.value)


def test_pips_last_word_and_the_next_move_are_shown(index):
    with pytest.raises(DataError) as caught:
        resolve("pypi:tiny-data==2.0/plain/c.txt")
    assert "No matching distribution found for tiny-data==2.0" in str(caught.value)
    assert "pip download --no-deps --no-binary :all: tiny-data==2.0" in caught.value.hint


def test_pip_may_not_take_for_ever(index, tmp_path):
    with pytest.raises(DataError, match=r"pip did not finish within 0\.01 s"):
        resolve("pypi:tiny-data==1.0/plain/c.txt", timeout=0.01)
    assert list((tmp_path / "cache" / "packages").iterdir()) == []


def test_a_python_without_pip_is_told_how_to_get_it(index):
    """A real interpreter that cannot see pip: no site-packages."""
    code = "from instructglm.data.packages import resolve; resolve('pypi:tiny-data==1.0/plain/c.txt')"
    paths = [str(Path(packages.__file__).parents[2]), str(index)]
    site = Path(next(path for path in sys.path if path.endswith("site-packages")))
    for name in ("pydantic", "pydantic_core", "annotated_types", "typing_extensions.py", "typing_inspection"):
        if (site / name).exists():
            (index / name).symlink_to(site / name)
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
    )
    assert "this Python has none" in done.stderr
    assert "-m ensurepip" in done.stderr


@pytest.mark.parametrize(
    "uri",
    [
        "pypi:tiny-data/plain/c.txt",
        "pypi:tiny-data==1.0",
        "pypi:tiny-data==1.0/",
        "pypi:tiny-data==1.0/../x",
        "pypi:tiny-data==1.0/a//b",
        "pypi:tiny-data==1.0/*/b",
        "pypi:--target==1/x",
        "pypi:a==1/x\ny",
    ],
)
def test_a_uri_that_cannot_be_read_says_what_was_expected(index, uri):
    with pytest.raises(DataError, match="expected"):
        resolve_all(uri)


def test_an_unwritable_cache_says_how_to_choose_another(index, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("INSTRUCTGLM_CACHE", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="INSTRUCTGLM_CACHE"):
        resolve("pypi:tiny-data==1.0/plain/c.txt")


def test_several_at_once_do_not_disturb_each_other(index, tmp_path):
    code = "import sys; from instructglm.data.packages import resolve; print(resolve(sys.argv[1]).read_text())"
    uri = "pypi:tiny-data==1.0/extra/inner.tar.gz/set/b.txt"
    running = [subprocess.Popen([sys.executable, "-c", code, uri], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate()[0].strip() for process in running] == ["two"] * 3
    assert [path.name for path in (tmp_path / "cache" / "packages").iterdir()] == ["tiny-data-1.0-sdist"]


def test_the_second_to_finish_keeps_what_the_first_made(tmp_path):
    final, both_filled = tmp_path / "final", threading.Barrier(2)

    def fill(text):
        with packages._filled_once(final) as folder:
            (folder / "who").write_text(text)
            both_filled.wait(5)

    threads = [threading.Thread(target=fill, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (final / "who").read_text() in "ab"
    assert list(tmp_path.iterdir()) == [final]


@pytest.mark.parametrize("name", ["../out.txt", "/out.txt", "a/../../out.txt", "..\\out.txt", "C:/out.txt"])
@pytest.mark.parametrize("pack", [tar_bytes, zip_bytes])
def test_no_member_leaves_the_folder(tmp_path, pack, name):
    archive, folder = tmp_path / "evil", tmp_path / "inside"
    archive.write_bytes(pack({name: b"boo"}))
    with pytest.raises(DataError, match="expected a path inside"):
        unpack(archive, folder)
    assert [path.name for path in tmp_path.rglob("*")] == ["evil"]


def test_links_are_not_followed_because_they_are_not_made(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        archive.addfile(link)
        info = tarfile.TarInfo("link/file")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"abc"))
    (tmp_path / "evil.tar").write_bytes(buffer.getvalue())
    unpack(tmp_path / "evil.tar", tmp_path / "inside")
    assert (tmp_path / "inside" / "link" / "file").read_text() == "abc"
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("whole", [tar_bytes({"a": os.urandom(5000)}), zip_bytes({"a": os.urandom(5000)})])
def test_a_damaged_archive_is_named(tmp_path, whole):
    (tmp_path / "half").write_bytes(whole[:3000])
    with pytest.raises(DataError, match="half: damaged archive"):
        unpack(tmp_path / "half", tmp_path / "inside")


def test_an_archive_that_swells_beyond_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_MOST_BYTES", 1000)
    (tmp_path / "bomb").write_bytes(tar_bytes({"a": b"0" * 600, "b": b"0" * 600}))
    with pytest.raises(DataError, match="bomb: found more than"):
        unpack(tmp_path / "bomb", tmp_path / "inside")


def test_is_archive_looks_inside_the_file(tmp_path):
    (tmp_path / "text.zip").write_text("no archive")
    (tmp_path / "archive.txt").write_bytes(zip_bytes({"a": b"b"}))
    assert not is_archive(tmp_path / "text.zip")
    assert not is_archive(tmp_path)
    assert is_archive(tmp_path / "archive.txt")
