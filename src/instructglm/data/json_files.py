"""JSON of any layout: one object a line, one array, or one object; told by what stands in the file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from instructglm.core.errors import DataError
from instructglm.core.records import Fault
from instructglm.data.json_arrays import read_array
from instructglm.data.json_values import DECODER, breaks_off, row_or_fault
from instructglm.data.records import Row
from instructglm.data.text_files import Line, LongLine, fits, lines, start_of, too_long

_MAX_DOCUMENT_BYTES = 512 * 2**20  # a task file with all its instances in one object


def read_json(path: Path, shown: str, encoding: str) -> Iterator[Row | Fault]:
    """Rows of a JSON file.

    Raises:
        DataError: an array or a lone object is broken; names line and column, and the last whole row.
    """
    first, second = _first_two_lines(path, encoding)
    if start_of(first).startswith("["):
        return read_array(path, shown, encoding)
    if _is_one_object_a_line(first, second):
        return _read_lines(lines(path, encoding), shown)
    return _read_document(path, shown, encoding)


def _first_two_lines(path: Path, encoding: str) -> tuple[Line | LongLine, Line | LongLine | None]:
    found = [*islice((line for line in lines(path, encoding) if start_of(line)), 2), None]
    assert found[0] is not None, "a blank file is refused before its layout is asked for"
    return found[0], found[1]


def _is_one_object_a_line(first: Line | LongLine, second: Line | LongLine | None) -> bool:
    """Whether later lines begin anew; a lone object in one line counts as a document."""
    if second is None:
        return False
    if isinstance(first, LongLine) or start_of(second).startswith("{"):
        return True
    try:
        DECODER.decode(first.text.strip())
    except (ValueError, RecursionError):
        return False
    return True


def _read_lines(numbered: Iterable[Line | LongLine], shown: str) -> Iterator[Row | Fault]:
    last_good: int | None = None
    for line in numbered:
        place = f"{shown}:{line.number}"
        if isinstance(line, LongLine):
            yield too_long(place, line.num_bytes)
        elif text := line.text.strip():
            result = _read_line(text, place, last_good)
            last_good = line.number if isinstance(result, Row) else last_good
            yield result


def _read_line(text: str, place: str, last_good: int | None) -> Row | Fault:
    try:
        value = DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        found = _fault_of_line(text, error)
        before = f" (the last whole row is line {last_good})" if last_good else ""
        return Fault(row=place, field="line", found=found + before, expected="one whole JSON object a line")
    return row_or_fault(place, value, text)


def _fault_of_line(text: str, error: Exception) -> str:
    if not isinstance(error, json.JSONDecodeError):
        return f"JSON that cannot be read: {error}"
    if error.msg == "Extra data" and text[error.pos :] == ",":
        return f"a comma after the object, at column {error.colno}"
    if breaks_off(error, text):
        return f"JSON that breaks off at column {len(text) + 1}"
    return f"JSON that is wrong at column {error.colno}: {error.msg}"


def _read_document(path: Path, shown: str, encoding: str) -> Iterator[Row | Fault]:
    size = path.stat().st_size
    if size > _MAX_DOCUMENT_BYTES:
        raise DataError(
            f"{shown}: one JSON object of {size / 2**20:.0f} MiB; expected at most {_MAX_DOCUMENT_BYTES // 2**20} MiB",
            hint="Write one object a line (JSON lines) instead.",
        )
    text = path.read_text(encoding=encoding)
    value = _decode_document(text, shown)
    holds_rows = isinstance(value, dict) and any(isinstance(field, list) for field in value.values())
    place = _place_of_object(text, shown)
    yield row_or_fault(place, value, text) if fits(text) or holds_rows else too_long(place, size)


def _place_of_object(text: str, shown: str) -> str:
    """Its line; one that spans several lines stands for the file, and rows inside it are `file[index]`."""
    blank = text[: len(text) - len(text.lstrip())]
    return shown if "\n" in text.strip() else f"{shown}:{1 + blank.count(chr(10))}"


def _decode_document(text: str, shown: str) -> Any:
    try:
        return DECODER.decode(text)
    except json.JSONDecodeError as error:
        place = f"{shown}:{error.lineno}:{error.colno}"
        if breaks_off(error, text):
            end = 1 + text.count("\n")
            raise DataError(
                f"{place}: the JSON object breaks off here (the file ends in line {end}); no row is whole",
                hint="Was the file's download or export cut off? Copy it anew.",
            ) from error
        raise DataError(
            f"{place}: wrong JSON: {error.msg}",
            hint="Expected one JSON object, one array of objects, or one object a line.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{shown}: JSON that cannot be read: {error}") from error
