"""Our own form, JSON lines that hold everything: a line that says what follows, then a line for each instruction.

    {"instructglm": "annotations", "version": 1, "project": "law", "guidelines": [{"version": 1, "text": "..."}]}
    {"instruction": {...}, "outputs": [{...}, ...], "answers": [{...}, ...]}

The first line may be missing: then the guidelines are not known. docs/exchange.md has every field.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from instructglm.annotation.exchange.entries import (
    Entry,
    GivenAnswer,
    GivenOutput,
    GuidelineText,
    Read,
    Said,
    faults_in,
)
from instructglm.annotation.exchange.format import Format, Leaving, Rows
from instructglm.annotation.store.incoming import NewInstruction, faults_of
from instructglm.annotation.store.tables import Origin
from instructglm.core.records import Fault, Record

VERSION = 1
_KIND = "annotations"
_LATEST_MS = 253_402_300_799_999  # the last millisecond of the year 9999
_LONGEST_MS = 10**12  # of work on one item: 31 years
_MANY = 10**9

_Name = Annotated[str, Field(min_length=1)]
_Number = Annotated[int, Field(ge=1, le=_MANY)]


class _Output(Record):
    text: str = Field(min_length=1)
    origin: Origin
    person: _Name | None = None
    model: str = ""
    round: _Number | None = None
    edited_from: int | None = None


class _Answer(Said):
    person: _Name
    round: _Number
    guideline: _Number | None = None
    at_ms: int | None = Field(None, ge=0, le=_LATEST_MS)
    took_ms: int = Field(0, ge=0, le=_LONGEST_MS)


class _Line(Record):
    instruction: NewInstruction
    outputs: tuple[_Output, ...] = ()
    answers: tuple[_Answer, ...] = ()


class _Head(Record):
    instructglm: Literal["annotations"]
    version: int
    project: str = ""
    guidelines: tuple[GuidelineText, ...] = ()


def _looks_like(value: Mapping[str, Any]) -> bool:
    return value.get("instructglm") == _KIND or isinstance(value.get("instruction"), dict)


def read(rows: Rows) -> Iterator[Read]:
    """The entries of our own form; a version that is newer than ours is a fault."""
    for row in rows:
        if isinstance(row, Fault):
            yield row
        elif isinstance(row[1], dict) and "instructglm" in row[1]:
            yield from _read_head(*row)
        else:
            yield from _read_line(*row)


def _read_head(place: str, value: Any) -> Iterator[Read]:
    try:
        head = _Head.model_validate(value)
    except ValidationError as error:
        yield from faults_of(place, error)
        return
    if head.version != VERSION:
        yield Fault(row=place, field="version", found=str(head.version), expected=f"{VERSION}, the one this can read")
    yield from head.guidelines


def _read_line(place: str, value: Any) -> Iterator[Read]:
    try:
        line = _Line.model_validate(value)
        line.model_dump_json()
    except ValidationError as error:
        yield from faults_of(place, error)
        return
    except ValueError:
        yield Fault(row=place, field="record", found="half a character (an unpaired surrogate)", expected="text")
        return
    if line.instruction.outputs:
        yield Fault(row=place, field="instruction.outputs", found="outputs", expected="them beside the instruction")
        return
    outputs = tuple(GivenOutput(**dict(one)) for one in line.outputs)
    entry = Entry(place, line.instruction, outputs, tuple(map(_answer, line.answers)))
    faults = list(faults_in(entry))
    yield from faults or (entry,)


def _answer(given: _Answer) -> GivenAnswer:
    held = {name: getattr(given, name) for name in Said.model_fields}
    return GivenAnswer(given.person, Said(**held), given.round, given.guideline, given.at_ms, given.took_ms)


def write(leaving: Leaving) -> Iterator[bytes]:
    """The head and one line for each instruction; what says nothing is not spelled out."""
    guidelines = [one.model_dump() for one in leaving.guidelines]
    yield _spelled({"instructglm": _KIND, "version": VERSION, "project": leaving.project, "guidelines": guidelines})
    for entry in leaving.entries:
        outputs = [
            _given({**one._asdict(), "origin": str(one.origin), "model": one.model or None}) for one in entry.outputs
        ]
        answers = [_given({**one._asdict(), **_said(one.said), "said": None}) for one in entry.answers]
        instruction = _given(entry.held.model_dump(mode="json", exclude_defaults=True))
        yield _spelled({"instruction": instruction, "outputs": outputs, "answers": answers})


def _said(said: Said) -> dict[str, Any]:
    return said.model_dump(mode="json", exclude_defaults=True)


def _given(held: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in held.items() if value is not None}


def _spelled(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


FORMAT = Format(
    "own",
    "an instruction that is an object, and outputs and answers",
    "application/jsonl",
    ".jsonl",
    _looks_like,
    read,
    write,
)
