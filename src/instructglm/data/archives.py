"""Unpacking what came from elsewhere: plain files only, and none outside the folder."""

from __future__ import annotations

import gzip
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from instructglm.core.errors import DataError

_MOST_BYTES = 4 * 2**30  # a data package is far smaller; an archive that swells beyond this is a mistake or an attack
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError)

Member = tuple[str, int, IO[bytes]]  # name, bytes, content


def is_archive(path: Path) -> bool:
    """Whether `path` is a tar (compressed or not) or zip file, whatever its name."""
    return path.is_file() and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path))


def unpack(archive: Path, folder: Path) -> None:
    """Unpack the plain files of a tar or zip file into `folder`; links and devices are left out.

    Raises:
        DataError: the archive is damaged, too large, or names a place outside `folder`.
    """
    room = _MOST_BYTES
    try:
        for name, num_bytes, content in _members(archive):
            room -= num_bytes
            if room < 0:
                raise DataError(f"{archive.name}: found more than {_MOST_BYTES >> 30} GiB; expected a data package")
            _write(content, folder / _inside(archive, name))
    except _DAMAGED as error:
        raise DataError(f"{archive.name}: damaged archive: {error}", hint="Fetch it again.") from error


def _inside(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in "".join(path.parts[:1]):
        raise DataError(
            f"{archive.name}: found the member {name!r}; expected a path inside the archive's folder",
            hint="Nothing of it was kept. Do not trust this package.",
        )
    return path


def _write(content: IO[bytes], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("wb") as file:
        shutil.copyfileobj(content, file)


def _members(archive: Path) -> Iterator[Member]:
    return _zip_members(archive) if zipfile.is_zipfile(archive) else _tar_members(archive)


def _zip_members(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            if not info.is_dir():
                yield info.filename, info.file_size, file.open(info)


def _tar_members(archive: Path) -> Iterator[Member]:
    with tarfile.open(archive) as file:
        for info in file:
            content = file.extractfile(info) if info.isreg() else None
            if content is not None:
                yield info.name, info.size, content
