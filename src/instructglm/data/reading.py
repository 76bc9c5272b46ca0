"""One file of rows as examples, with the account of rows that gave none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from instructglm.config.data import RowSource
from instructglm.core.errors import DataError
from instructglm.core.ids import file_hash
from instructglm.core.ledger import LedgerEntry
from instructglm.core.lookup import nearest
from instructglm.core.records import Example, Fault, Record
from instructglm.data.formats import FORMATS, detect, require
from instructglm.data.formats.format import Result
from instructglm.data.records import EmptyRow, Row, name_list
from instructglm.data.rows import read_rows

if TYPE_CHECKING:
    from instructglm.annotation.summary import RatedItem

_NUM_ROWS_LOOKED_AT = 20


class ReadFile(Record):
    """One file that was read. `num_rows` counts what became an example, a fault or an empty row.

    `origin` says of a frozen snapshot what it was taken of; empty for other files.
    """

    path: str
    sha256: str
    format: str
    task: str
    num_rows: int
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file or a source holds: examples, rows that are wrong, rows with nothing to learn.

    `ledger` names rows whose raters are split, and conversations read in part.
    `rated` comes from rated texts only: by task, all rated items.
    """

    examples: list[Example] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    empty: list[EmptyRow] = field(default_factory=list)
    files: list[ReadFile] = field(default_factory=list)
    ledger: list[LedgerEntry] = field(default_factory=list)
    rated: dict[str, list[RatedItem]] = field(default_factory=dict)


def read_file(path: Path, shown: str, source: RowSource) -> Reading:
    """The examples of one file of a source.

    Raises:
        DataError: the file as a whole cannot be read, or is in no known format.
    """
    task = source.task or task_of(shown)
    format_name, results = _open(path, shown, source, task)
    origin = FORMATS[format_name].origin(path, shown) if format_name in FORMATS else ""
    reading = Reading()
    for result in results:
        _sort_in(reading, result)
    num_rows, sha256 = _num_rows(reading), file_hash(path)
    file = ReadFile(path=shown, sha256=sha256, format=format_name, task=task, num_rows=num_rows, origin=origin)
    reading.files.append(file)
    return reading


def task_of(shown: str) -> str:
    """The task's name where none is given: the file's stem, blanks and the like replaced by hyphens.

    >>> task_of("raw/my questions.jsonl")
    'my-questions'
    """
    stem = Path(shown).stem
    return re.sub(r"[^\w.-]+", "-", stem).strip("-") or "data"


def _num_rows(reading: Reading) -> int:
    """Rows that were read: one may have several faults, or an example beside a blank output."""
    without_example = {fault.row for fault in reading.faults} | {empty.row for empty in reading.empty}
    return len(reading.examples) + len(without_example - {example.row for example in reading.examples})


def _open(path: Path, shown: str, source: RowSource, task: str) -> tuple[str, Iterator[Result]]:
    if source.format == "lines":
        from instructglm.data.formats.lines import read_file as read_lines

        return source.format, read_lines(path, shown, source, task)
    if source.format == "conversations":
        from instructglm.data.formats.conversations import read_file as read_conversations

        return source.format, read_conversations(path, shown, source, task)
    rows = read_rows(path, shown)
    head = _head(rows)
    name = _format_name(head, source, shown)
    return name, _read_each(chain(head, rows), name, source, task)


def _head(rows: Iterator[Row | Fault]) -> list[Row | Fault]:
    """So much of a file that a few sound rows are in it."""
    head: list[Row | Fault] = []
    num_sound = 0
    for row in rows:
        head.append(row)
        num_sound += isinstance(row, Row)
        if num_sound == _NUM_ROWS_LOOKED_AT:
            break
    return head


def _format_name(head: list[Row | Fault], source: RowSource, shown: str) -> str:
    values = [row.value for row in head if isinstance(row, Row)]
    if not values:
        return source.format if source.format != "auto" else "unknown"
    if columns := [column for column in (source.prompt_column, source.output_column) if column]:
        _require_columns(columns, head, shown)
        return "table"
    if source.format == "auto":
        return detect(values, shown)
    require(source.format, values, shown)
    return source.format


def _require_columns(columns: list[str], head: list[Row | Fault], shown: str) -> None:
    names = {key: None for row in head if isinstance(row, Row) for key in row.value}
    missing = [column for column in columns if column not in names]
    if missing:
        close = nearest(missing[0], names)
        raise DataError(
            *(f"{shown}: no column {column!r}; the columns are {name_list(names)}" for column in missing),
            hint=f"Did you mean {close!r}?" if close else "Is the first line the header?",
        )


def _read_each(rows: Iterator[Row | Fault], name: str, source: RowSource, task: str) -> Iterator[Result]:
    for row in rows:
        if isinstance(row, Fault):
            yield row
        else:
            yield from FORMATS[name].read(row, source, task)


def _sort_in(reading: Reading, result: Result) -> None:
    if isinstance(result, Example):
        reading.examples.append(result)
    elif isinstance(result, Fault):
        reading.faults.append(result)
    elif isinstance(result, LedgerEntry):
        reading.ledger.append(result)
    else:
        reading.empty.append(result)
