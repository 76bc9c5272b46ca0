"""Whole or not at all."""

import errno
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from instructglm.core.errors import StorageError
from instructglm.core.files import (
    ensure_writable,
    remove,
    replace_folder,
    staged_folder,
    storage_errors,
    write_bytes,
    write_text,
)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_text_is_written_as_utf_8_and_replaces_what_stood_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    write_text(path, "old")
    write_text(path, "新\r\n")
    assert path.read_bytes() == "新\r\n".encode()
    assert names(path.parent) == ["a.txt"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"No space left on device\nFree some space"):
        write_bytes(path, b"new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_really_full_device_is_told_as_one() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(StorageError, match="No space left on device"), storage_errors(Path("/dev/full")):
        Path("/dev/full").write_text("x")


@pytest.mark.parametrize("write", [ensure_writable, lambda path: write_text(path / "x", "x")])
def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path, write) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match=f"{tmp_path}/file/out.*cannot write: .*\n.*--out"):
        write(tmp_path / "file" / "out")


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match=f"{tmp_path}/file: cannot write"):
        ensure_writable(tmp_path / "file")


def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageError, match="Permission denied\nChoose a folder you may write to"):
            ensure_writable(tmp_path / "out")
    finally:
        tmp_path.chmod(0o700)


def test_a_writable_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    ensure_writable(tmp_path / "a" / "b")
    assert names(tmp_path / "a" / "b") == []


def test_other_errors_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), storage_errors(tmp_path):
        raise IsADirectoryError(errno.EISDIR, "is a directory")


def test_a_staged_folder_appears_whole(tmp_path: Path) -> None:
    final = tmp_path / "made" / "final"
    with staged_folder(final) as staged:
        (staged / "a").write_text("1")
        assert not final.exists()
    assert names(final) == ["a"]
    assert names(final.parent) == ["final"]


def test_a_staged_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    final = tmp_path / "final"
    final.mkdir()
    (final / "old").write_text("1")
    with staged_folder(final) as staged:
        (staged / "new").write_text("2")
    assert names(final) == ["new"]
    assert names(tmp_path) == ["final"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_staged_folder_that_fails_leaves_all_as_it_was(tmp_path: Path, failure: type[BaseException]) -> None:
    final = tmp_path / "final"
    final.mkdir()
    (final / "old").write_text("1")
    with suppress(failure), staged_folder(final) as staged:
        (staged / "new").write_text("2")
        raise failure
    assert names(final) == ["old"]
    assert names(tmp_path) == ["final"]


def test_replacing_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    replace_folder(tmp_path / "new", tmp_path / "final")
    assert names(tmp_path) == ["final"]


def killed_process() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_killed_processes_left_goes_with_the_next_write_and_what_others_do_stays(tmp_path: Path) -> None:
    dead, alive = killed_process(), os.getppid()
    for process in (dead, alive):
        (tmp_path / f".a.txt.{process}.tmp").write_text("half")
        (tmp_path / f".final.{process}.tmp").mkdir()
        (tmp_path / f".final.{process}.tmp" / "half").write_text("half")
    write_text(tmp_path / "a.txt", "whole")
    with staged_folder(tmp_path / "final"):
        pass
    assert names(tmp_path) == [f".a.txt.{alive}.tmp", f".final.{alive}.tmp", "a.txt", "final"]


def test_files_that_only_look_like_left_ones_stay(tmp_path: Path) -> None:
    (tmp_path / ".a.txt.mine.tmp").write_text("x")
    write_text(tmp_path / "a.txt", "whole")
    assert names(tmp_path) == [".a.txt.mine.tmp", "a.txt"]


def test_a_staged_folder_is_on_the_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch) -> None:
    events: list[str] = []
    sync, rename = os.fsync, Path.replace
    monkeypatch.setattr(
        os, "fsync", lambda number: (events.append(os.readlink(f"/proc/self/fd/{number}")), sync(number))
    )
    monkeypatch.setattr(Path, "replace", lambda self, to: (events.append("rename"), rename(self, to))[1])
    with staged_folder(tmp_path / "final") as staged:
        (staged / "deep").mkdir()
        (staged / "deep" / "a").write_text("1")
    written = {str(staged), str(staged / "deep"), str(staged / "deep" / "a")}
    assert set(events[: events.index("rename")]) == written
    assert events[events.index("rename") + 1 :] == [str(tmp_path)]


def test_a_file_too_large_is_told_with_the_limit(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="ulimit -f"), storage_errors(tmp_path):
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))


def test_removing_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    (tmp_path / "folder" / "in").mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    for name in ("folder", "file", "nothing"):
        remove(tmp_path / name)
    assert names(tmp_path) == []
