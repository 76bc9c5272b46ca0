"""Writing that is whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

from instructglm.core.errors import StorageError

_NEXT_MOVE = {
    errno.ENOSPC: "Free some space, or choose another folder with --out, and run the same command again.",
    errno.EFBIG: "No file may grow so large here (see `ulimit -f`): choose another folder with --out.",
    errno.EDQUOT: "Your quota is used up: free some space, or choose another folder with --out.",
    errno.EACCES: "Choose a folder you may write to, with --out.",
    errno.EPERM: "Choose a folder you may write to, with --out.",
    errno.EROFS: "The file system is read-only: choose another folder with --out.",
    errno.ENOTDIR: "A part of this path is a file: choose another folder with --out.",
    errno.ENAMETOOLONG: "Choose a shorter name in the experiment, or a folder with a shorter path with --out.",
    errno.EIO: "The disk fails: choose another with --out, and look after this one.",
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
    write_parts(path, (content,))


def write_parts(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file atomically, part by part; where making a part fails, what stood there is as it was.

    Raises:
        StorageError: the disk is full, or the place may not be written.
    """
    beside = _beside(path)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear_abandoned(path)
        try:
            with beside.open("wb") as file:
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
            _sync(path.parent)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def staged_folder(final: Path) -> Iterator[Path]:
    """A folder to fill beside `final`, renamed to it when the block ends well.

    What stood at `final` is replaced as a whole. When the block fails, nothing
    is left behind and `final` is as it was.
    """
    beside = _beside(final)
    with storage_errors(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        _clear_abandoned(final)
        try:
            beside.mkdir()
            yield beside
            sync_folder(beside)
            replace_folder(beside, final)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def replace_folder(new: Path, final: Path) -> None:
    """Put folder `new` at `final`; an older `final` goes only once the new one is in place."""
    old = _beside(final, "old.tmp")
    if final.exists():
        final.replace(old)
    new.replace(final)
    _sync(final.parent)
    shutil.rmtree(old, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """See that all files under `folder` are on the disk, so that a power cut after a rename cannot empty them."""
    for place in (folder, *folder.rglob("*")):
        _sync(place)


def _sync(place: Path) -> None:
    opened = os.open(place, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _beside(final: Path, ending: str = "tmp") -> Path:
    """Where this process prepares what will stand at `final`."""
    return final.with_name(f".{final.name}.{os.getpid()}.{ending}")


def _clear_abandoned(final: Path) -> None:
    """Remove what processes that were killed had prepared for `final`."""
    for left in final.parent.glob(f".{escape(final.name)}.*.tmp"):
        process = left.name.removeprefix(f".{final.name}.").partition(".")[0]
        if process.isdigit() and (int(process) == os.getpid() or not _is_running(int(process))):
            remove(left)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


def remove(place: Path) -> None:
    """Remove a file or a folder with all that is in it, if it is there."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


def ensure_writable(folder: Path) -> None:
    """Make `folder` where it is missing, and see that files can be written there.

    Raises:
        StorageError: they cannot; better told now than after an hour's work.
    """
    probe = _beside(folder / "probe")
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _clear_abandoned(folder / "probe")
        try:
            probe.write_bytes(b"\n")
        finally:
            probe.unlink(missing_ok=True)
