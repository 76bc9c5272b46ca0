"""Whole or not at all."""

import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest

from instructglm.core.errors import StorageError
from instructglm.core.files import (
    ensure_writable,
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
