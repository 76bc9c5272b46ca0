"""Tables as text: comma-, tab- or semicolon-separated, with a header line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from instructglm.core.errors import DataError
from instructglm.core.records import Fault
from instructglm.data.records import Row, name_list
from instructglm.data.text_files import MAX_ROW_BYTES, LongLine, lines, start_of, too_long

_DELIMITERS = ",\t;"


def read_csv(path: Path, shown: str, encoding: str) -> Iterator[Row | Fault]:
    """Rows of a table with a header; `place` is the line where the row begins.

    Raises:
        DataError: the header is no header: one column only, or two of one name.
    """
    csv.field_size_limit(MAX_ROW_BYTES)  # the module's own limit is 128 KiB, less than one long answer
    source = _Lines(path, shown, encoding)
    reader = csv.reader(source, delimiter=_delimiter(path, encoding), strict=True)
    header = _header(reader, source)
    while True:
        fields = _next_fields(reader, source)
        yield from source.take_faults()
        if fields is None:
            return
        if fields:
            yield fields if isinstance(fields, Fault) else _row(source.place, header, fields)


class _Lines:
    """The lines for the csv module, which sets aside those that are too long and knows where a row begins."""

    def __init__(self, path: Path, shown: str, encoding: str) -> None:
        self.place = f"{shown}:1"
        """Where the row in hand begins."""
        self._shown = shown
        self._begins = True
        self._lines = lines(path, encoding)
        self._faults: list[Fault] = []

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            place = f"{self._shown}:{line.number}"
            if isinstance(line, LongLine):
                self._faults.append(too_long(place, line.num_bytes))
                continue
            self.place = place if self._begins else self.place
            self._begins = False
            yield line.text

    def begin_row(self) -> None:
        self._begins = True

    def take_faults(self) -> Sequence[Fault]:
        faults, self._faults = self._faults, []
        return faults


def _delimiter(path: Path, encoding: str) -> str:
    """The separator that the header has most of."""
    header = next(filter(None, map(start_of, lines(path, encoding))))
    return max(_DELIMITERS, key=header.count)


def _header(reader: Iterator[list[str]], source: _Lines) -> tuple[str, ...]:
    found = _next_fields(reader, source)
    while found == []:
        found = _next_fields(reader, source)
    if not isinstance(found, list) or len(found) < 2:
        what = found.found if isinstance(found, Fault) else f"one column ({name_list(found or [])})"
        raise DataError(
            f"{source.place}: found {what}; expected JSON (beginning with {{ or [), "
            "or a table whose header line names at least two columns, such as prompt,output"
        )
    names = tuple(name.strip() or f"column_{number}" for number, name in enumerate(found, start=1))
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DataError(
            f"{source.place}: the header names {name_list(twice)} more than once",
            hint="Give each column its own name; if line 1 is data, put a header such as prompt,output before it.",
        )
    return names


def _next_fields(reader: Iterator[list[str]], source: _Lines) -> list[str] | Fault | None:
    source.begin_row()
    try:
        return next(reader, None)
    except csv.Error as error:
        return Fault(
            row=source.place,
            field="line",
            found=f"a row that cannot be split into fields: {error}",
            expected='every quote closed, and quotes inside a field doubled (`""`)',
        )


def _row(place: str, header: tuple[str, ...], fields: list[str]) -> Row | Fault:
    if len(fields) == len(header):
        return Row(place, dict(zip(header, fields, strict=True)))
    return Fault(
        row=place,
        field="line",
        found=f"{len(fields)} field{'s' * (len(fields) != 1)}",
        expected=f"{len(header)} as in the header ({name_list(header)}); put quotes around a text with separators",
    )
