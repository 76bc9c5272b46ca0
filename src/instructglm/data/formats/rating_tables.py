"""Texts with the ratings that several people gave them, as they stand in tables.

Two tables, tab-separated, without a header, told apart by position and paired by id:

    id  mean  standard deviation  [rating, rating, ...]
    id  mean  text

or one table (JSON lines, CSV, parquet) with the columns `id`, `text` and
`ratings`, a list. The mean of both tables must be that of the list: ids that
went out of step give a text the ratings of another, and nothing else shows it.
The standard deviation is not read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from instructglm.annotation.aggregation import mean_rating
from instructglm.core.records import Fault
from instructglm.data.encodings import text_encoding
from instructglm.data.records import Row, describe, name_list
from instructglm.data.rows import read_rows
from instructglm.data.text_files import LongLine, lines, require_file, too_long

_WIDEST_ROUNDING = Decimal("0.01")  # a mean written with one decimal or none is still held to two
_LIST = "a list of numbers, at least one"
_FLOAT_NOISE = Decimal("1e-6")


@dataclass(frozen=True, slots=True)
class Table:
    """A file, and how messages call it."""

    path: Path
    shown: str


@dataclass(frozen=True, slots=True)
class RatedText:
    """One text with its ratings, in the order of its row, at least one."""

    place: str
    item: str
    text: str
    ratings: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a table; `mean` is as written, so that its number of decimals is known."""

    place: str
    item: str
    mean: Decimal
    content: str


def read_pair(ratings: Table, texts: Table) -> Iterator[RatedText | Fault]:
    """Rated texts of two tables in the order of `ratings`; then the texts that have no ratings, as faults.

    Raises:
        DataError: a file is missing, empty, or not UTF-8.
    """
    known: dict[str, _Line] = {}
    for line in _read_lines(texts, "id, mean, text", 3):
        if isinstance(line, Fault):
            yield line
        else:
            known[line.item] = line
    used: set[str] = set()
    for line in _read_lines(ratings, "id, mean, standard deviation, [ratings]", 4):
        yield line if isinstance(line, Fault) else _pair(line, known.get(line.item), texts.shown)
        used.add(getattr(line, "item", ""))
    for line in known.values():
        if line.item not in used:
            yield Fault(row=line.place, field="id", found=f'"{line.item}"', expected=f"the same id in {ratings.shown}")


def read_table(table: Table) -> Iterator[RatedText | Fault]:
    """Rated texts of one table with named columns.

    Raises:
        DataError: the file as a whole cannot be read.
    """
    for row in read_rows(table.path, table.shown):
        yield row if isinstance(row, Fault) else _rated_row(row)


def _read_lines(table: Table, layout: str, num_fields: int) -> Iterator[_Line | Fault]:
    """Read the lines of a table, each id once."""
    require_file(table.path, table.shown)
    first: dict[str, str] = {}
    for line in lines(table.path, text_encoding(table.path, table.shown)):
        place = f"{table.shown}:{line.number}"
        if isinstance(line, LongLine):
            yield too_long(place, line.num_bytes)
        elif line.text.strip():
            parsed = _parse_line(place, line.text.rstrip("\r\n").split("\t", num_fields - 1), layout, num_fields)
            if isinstance(parsed, _Line) and first.setdefault(parsed.item, place) != place:
                parsed = Fault(
                    row=place,
                    field="id",
                    found=f'"{parsed.item}", as in {first[parsed.item]}',
                    expected="every id once",
                )
            yield parsed


def _parse_line(place: str, fields: list[str], layout: str, num_fields: int) -> _Line | Fault:
    if len(fields) != num_fields:
        return Fault(
            row=place, field="line", found=f"{len(fields)} tab-separated fields", expected=f"{num_fields}: {layout}"
        )
    try:
        mean = Decimal(fields[1])
    except InvalidOperation:
        mean = Decimal("NaN")
    if not mean.is_finite():
        return Fault(row=place, field="mean", found=describe(fields[1]), expected="a number")
    return _Line(place, fields[0].strip(), mean, fields[-1])


def _pair(rated: _Line, text: _Line | None, texts: str) -> RatedText | Fault:
    if text is None:
        return Fault(row=rated.place, field="id", found=f'"{rated.item}"', expected=f"the same id in {texts}")
    ratings = _parse_ratings(rated.content)
    if isinstance(ratings, str):
        return Fault(row=rated.place, field="ratings", found=ratings, expected=_LIST)
    mean = mean_rating(ratings)
    if _is_mean(rated.mean, mean) and _is_mean(text.mean, mean):
        return RatedText(rated.place, rated.item, text.content.strip(), ratings)
    return Fault(
        row=rated.place,
        field="mean",
        found=f"mean {rated.mean} here, {mean:.6g} over its {len(ratings)} ratings, and {text.mean} in {text.place}",
        expected="one mean; ids that are out of step give a text the ratings of another",
    )


def _is_mean(written: Decimal, mean: float) -> bool:
    """Whether `written` is `mean` to the decimals it has, and never more than 0.01 beside it."""
    unit = Decimal(1).scaleb(int(written.as_tuple().exponent))
    return abs(written - Decimal(mean)) <= max(_FLOAT_NOISE, min(_WIDEST_ROUNDING, unit))


def _rated_row(row: Row) -> RatedText | Fault:
    item, text, ratings = row.value.get("id"), row.value.get("text"), _parse_ratings(row.value.get("ratings"))
    if not isinstance(item, str | int) or isinstance(item, bool):
        return _wrong_column(row, "id", describe(item), "a text or a number")
    if not isinstance(text, str):
        return _wrong_column(row, "text", describe(text), "a text")
    if isinstance(ratings, str):
        return _wrong_column(row, "ratings", ratings, _LIST)
    return RatedText(row.place, str(item), text.strip(), ratings)


def _wrong_column(row: Row, field: str, found: str, expected: str) -> Fault:
    missing = f"no such column; the row has {name_list(row.value) or 'none'}"
    return Fault(row=row.place, field=field, found=found if field in row.value else missing, expected=expected)


def _parse_ratings(value: Any) -> tuple[float, ...] | str:
    """Return the ratings of a list, or of one written as text; or, in words, what stands there instead."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return describe(value)
    if not isinstance(value, list) or not value:
        return "an empty list" if value == [] else describe(value)
    wrong = [item for item in value if not _is_rating(item)]
    return f"{describe(wrong[0])} in the list" if wrong else tuple(map(float, value))


def _is_rating(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
