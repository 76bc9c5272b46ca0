"""A flat table for a spreadsheet: one row a judgement, and one for what nothing is said of.

A cell that a spreadsheet would take for a formula is written with an apostrophe
before it, and so is a cell that begins with an apostrophe. So nothing in a text
is computed, and taking one apostrophe off gives back what was there.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import Any

from instructglm.annotation.exchange.alpaca import prompt, told
from instructglm.annotation.exchange.entries import Entry, GivenAnswer, Leftover, Read, Said
from instructglm.annotation.exchange.format import Format, Leaving, Rows
from instructglm.annotation.store.incoming import NewInstruction, read_record
from instructglm.annotation.store.tables import Kind
from instructglm.core.records import Fault

_PROMPT = ("instruction", "messages", "task", "domain", "complexity", "language", "source", "licence", "choices",
           "extra")  # fmt: skip
_OUTPUT = ("output", "origin", "model", "author")
_SAID = ("kind", "criterion", "value", "said", "person", "round", "guideline", "at", "took_s")
COLUMNS = (*_PROMPT, *_OUTPUT, *_SAID)
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")
_MARK = "﻿".encode()  # without it a spreadsheet takes Chinese for something else


def neutral(cell: str) -> str:
    """A text that a spreadsheet takes for a text.

    >>> neutral("=1+1"), neutral("'tis"), neutral("plain")
    ("'=1+1", "''tis", 'plain')
    """
    return f"'{cell}" if cell.startswith(_DANGEROUS) else cell


def plain(cell: str) -> str:
    """The inverse of `neutral`."""
    return cell.removeprefix("'")


def _looks_like(value: Mapping[str, Any]) -> bool:
    return set(COLUMNS) <= value.keys()


def read(rows: Rows) -> Iterator[Read]:
    """Instructions and outputs of such a table; its judgements are named, row by row: other forms hold them whole."""
    for row in rows:
        if isinstance(row, Fault):
            yield row
        elif not isinstance(row[1], dict) or not all(isinstance(row[1].get(name), str) for name in COLUMNS):
            yield Fault(row=row[0], field="row", found="another row", expected=f"the columns {', '.join(COLUMNS)}")
        else:
            yield from _read(row[0], {name: plain(row[1][name]) for name in COLUMNS})


def _read(place: str, cells: Mapping[str, str]) -> Iterator[Read]:
    record: dict[str, Any] = {name: cells[name] for name in _PROMPT if cells[name]}
    if cells["output"]:
        record["outputs"] = [{"text": cells["output"], "model": cells["model"]}]
    held = read_record(place, record)
    yield from [Entry(place, held)] if isinstance(held, NewInstruction) else held
    if cells["kind"]:
        yield Leftover(row=place, field="kind", found=f"a judgement ({cells['kind']}); a table brings outputs alone")


def write(leaving: Leaving) -> Iterator[bytes]:
    """UTF-8 with its mark, a header, and a row for each judgement."""
    yield _MARK + _line(COLUMNS)
    for entry in leaving.entries:
        yield b"".join(_line([*_prompt_cells(entry.held), *cells]) for cells in _rows(entry))


def _line(cells: Sequence[Any]) -> bytes:
    buffer = StringIO()
    csv.writer(buffer).writerow([neutral(cell) if isinstance(cell, str) else cell for cell in cells])
    return buffer.getvalue().encode()


def _prompt_cells(held: NewInstruction) -> list[str]:
    known = {**prompt(held), **told(held)}
    return [value if isinstance(value := known.get(name, ""), str) else _json(value) for name in _PROMPT]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _rows(entry: Entry) -> Iterator[list[Any]]:
    """The cells after the prompt's. Judgements of the item as a whole come first."""
    judged = [(answer, *one) for answer in entry.answers for one in _judgements(answer.said)]
    empty = [""] * len(_SAID)
    for place in (None, *range(len(entry.outputs))):
        output = [""] * len(_OUTPUT)
        if place is not None:
            given = entry.outputs[place]
            output = [given.text, str(given.origin), given.model, given.person or ""]
        found = [[kind, *rest, *_who(answer)] for answer, kind, of, *rest in judged if of == place]
        yield from ([*output, *cells] for cells in found)
        if not found and (place is not None or not (judged or entry.outputs)):
            yield [*output, *empty]


def _judgements(said: Said) -> Iterator[tuple[str, int | None, str, float | str, str]]:
    """Kind, place of the output, criterion, value and text of all that an answer says."""
    yield from ((Kind.WRITE, place, "", "", "") for place in said.written)
    yield from ((Kind.EDIT, place, "", "", "") for place in said.edits)
    yield from ((Kind.RATING, one.output, one.criterion, one.value, "") for one in said.ratings)
    yield from ((Kind.RANK, one.output, "", one.rank, "") for one in said.ranks)
    yield from ((Kind.REJECT, one.output, "", "", one.reason) for one in said.rejected)
    texts = {Kind.LABEL: said.label, Kind.FLAG: said.flag, Kind.COMMENT: said.comment, Kind.SKIP: said.skip}
    yield from ((kind, None, "", "", text) for kind, text in texts.items() if text is not None)


def _who(answer: GivenAnswer) -> list[Any]:
    at = "" if answer.at_ms is None else datetime.fromtimestamp(answer.at_ms / 1000, UTC).isoformat()
    guideline = "" if answer.guideline is None else answer.guideline
    return [answer.person, answer.round, guideline, at, answer.took_ms / 1000]


FORMAT = Format(
    "csv", "the columns that an export to csv has", "text/csv; charset=utf-8", ".csv", _looks_like, read, write
)
