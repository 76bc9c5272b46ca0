"""Writing that is whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from instructglm.core.errors import StorageError

_NEXT_MOVE = {
    errno.ENOSPC: "Free some space, or choose another folder with --out, and run the same command again.",
    errno.EDQUOT: "Your quota is used up: free some space, or choose another folder with --out.",
    errno.EACCES: "Choose a folder you may write to, with --out.",
    errno.EPERM: "Choose a folder you may write to, with --out.",
    errno.EROFS: "The file system is read-only: choose another folder with --out.",
    errno.ENOTDIR: "A part of this path is a file: choose another folder with --out.",
    errno.EEXIST: "A file stands where a folder is needed: move it, or choose another folder with --out.",
}


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write into a message with a next move.

    Raises:
        StorageError: the disk is full, or the place may not be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _NEXT_MOVE:
            raise
        raise StorageError(f"{path}: cannot write: {error.strerror}", hint=_NEXT_MOVE[error.errno]) from error


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically: readers see the old text or the new, never a half.

    Raises:
        StorageError: the disk is full, or the place may not be written.
    """
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically; see `write_text`."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def staged_folder(final: Path) -> Iterator[Path]:
    """A folder to fill beside `final`, renamed to it when the block ends well.

    What stood at `final` is replaced as a whole. When the block fails, nothing
    is left behind and `final` is as it was.
    """
    beside = final.with_name(f".{final.name}.{os.getpid()}.tmp")
    with storage_errors(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        try:
            yield beside
            replace_folder(beside, final)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def replace_folder(new: Path, final: Path) -> None:
    """Put folder `new` at `final`; an older `final` goes only once the new one is in place."""
    old = final.with_name(f".{final.name}.{os.getpid()}.old")
    if final.exists():
        final.replace(old)
    new.replace(final)
    shutil.rmtree(old, ignore_errors=True)


def ensure_writable(folder: Path) -> None:
    """Make `folder` where it is missing, and see that files can be written there.

    Raises:
        StorageError: they cannot; better told now than after an hour's work.
    """
    probe = folder / f".{os.getpid()}.tmp"
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(b"\n")
        finally:
            probe.unlink(missing_ok=True)
