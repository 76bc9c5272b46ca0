"""Lines of a text file, one at a time, none larger than memory can bear."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TextIO

from instructglm.core.errors import DataError
from instructglm.core.lookup import nearest
from instructglm.core.records import Fault
from instructglm.data.records import name_list

MAX_ROW_BYTES = 16 * 2**20
"""A row beyond this is not an instruction but an accident."""
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Line:
    """A line with its line end; numbers start at 1."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class LongLine:
    """A line over `MAX_ROW_BYTES`, of which only the first characters were kept."""

    number: int
    start: str
    num_bytes: int


def require_file(path: Path, shown: str) -> None:
    """Check that there is a file with something in it.

    Raises:
        DataError: it is missing (names files that are near), a folder, empty, or may not be read.
    """
    if path.is_dir():
        raise DataError(f"{shown}: is a folder; expected a file", hint=f"Name its files, such as {shown}/*.json")
    if not path.is_file():
        raise DataError(f"{shown}: no such file", hint=near_files(path))
    try:
        with path.open("rb") as file:
            first = file.read(1)
    except OSError as error:
        raise DataError(f"{shown}: cannot be read: {error.strerror}", hint="Check the file's permissions.") from error
    if not first:
        raise DataError(f"{shown}: the file is empty; expected rows", hint="Was its download or its export cut off?")


def near_files(path: Path) -> str:
    """Where a missing file was looked for, and what stands there instead."""
    folder = path.parent
    if not folder.is_dir():
        return f"There is no folder {folder}."
    names = sorted(child.name for child in folder.iterdir() if child.is_file())
    close = nearest(path.name, names)
    guess = f" Did you mean {close!r}?" if close else ""
    return f"Looked in {folder}, which holds {name_list(names) or 'no files'}.{guess}"


def lines(path: Path, encoding: str) -> Iterator[Line | LongLine]:
    """All lines, blank ones too, with at most `MAX_ROW_BYTES` characters in memory."""
    with path.open(encoding=encoding, newline="") as file:
        for number in count(1):
            text = file.readline(MAX_ROW_BYTES + 1)  # one more, or a line cut at the limit would pass for a whole one
            if not text:
                return
            yield Line(number, text) if fits(text) else LongLine(number, text[:200], _size_of_line(file, text))


def start_of(line: Line | LongLine) -> str:
    """A line without outer blanks; of a long one its beginning."""
    return (line.text if isinstance(line, Line) else line.start).strip()


def fits(text: str) -> bool:
    """Whether a row's text is smaller than `MAX_ROW_BYTES` as UTF-8."""
    return len(text) * 4 < MAX_ROW_BYTES or len(text.encode()) < MAX_ROW_BYTES


def _size_of_line(file: TextIO, text: str) -> int:
    """Bytes of the line that begins with `text`, the rest of which is read over."""
    num_bytes = len(text.encode())
    while text and not text.endswith(("\n", "\r")):
        text = file.readline(_MIB)
        num_bytes += len(text.encode())
    return num_bytes


def too_long(place: str, num_bytes: int, field: str = "line") -> Fault:
    """The fault of a row over `MAX_ROW_BYTES`."""
    return Fault(
        row=place,
        field=field,
        found=f"{num_bytes / _MIB:.1f} MiB",
        expected=f"at most {MAX_ROW_BYTES // _MIB} MiB in one row; is a line end missing?",
    )
