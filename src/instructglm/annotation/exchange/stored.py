"""A project as entries, one at a time, in the order of its instructions: what every export writes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Select, func, select

from instructglm.annotation.exchange.entries import Entry, GivenAnswer, GivenOutput, Said
from instructglm.annotation.queue.gold import is_gold
from instructglm.annotation.queue.tasks import in_use, instruction_in_use
from instructglm.annotation.store.incoming import NewInstruction
from instructglm.annotation.store.reading import blocks, is_last
from instructglm.annotation.store.tables import Annotation, Instruction, Kind, Output, Round, Submission

Naming = Callable[[int], str]
"""What a person of this id is called."""

_TOLD = ("task", "messages", "domain", "complexity", "language", "source", "licence", "choices", "extra")


def entries(
    connection: Connection, project: int, naming: Naming, *, gold: bool, left_out: Counter[str] | None = None
) -> Iterator[Entry]:
    """Every instruction in use with its outputs and, of each person in each round, the last answer.

    Gold items come only where `gold` says so. What is said of a withdrawn output
    is counted in `left_out`; so are whole instructions and outputs.
    """
    left_out = Counter() if left_out is None else left_out
    left_out.update(_num_left_out(connection, project, gold))
    outputs = _Groups(connection, _outputs(project))
    answers = _Groups(connection, _answers(project))
    for row in blocks(connection, _instructions(project, gold)):
        held = NewInstruction.model_validate({name: getattr(row, name) for name in _TOLD})
        of_instruction = outputs.of(row.id)
        places = {one.id: place for place, one in enumerate(of_instruction)}
        given = tuple(_output(one, places, naming, left_out) for one in of_instruction)
        yield Entry(row.key, held, given, tuple(_answers_of(answers.of(row.id), places, given, naming, left_out)))


def _num_left_out(connection: Connection, project: int, gold: bool) -> dict[str, int]:
    here, used = Instruction.project == project, instruction_in_use(Instruction.id)
    outputs = select(func.count()).select_from(Output).join(Instruction, Instruction.id == Output.instruction)
    counts = {
        "withdrawn instructions": select(func.count()).select_from(Instruction).where(here, ~used),
        "withdrawn outputs": outputs.where(here, used, ~in_use(Output.id)),
        "gold items": select(func.count()).select_from(Instruction).where(here, used, is_gold(Instruction.id)),
    }
    found = {name: connection.scalar(query) or 0 for name, query in counts.items() if not (gold and "gold" in name)}
    return {name: number for name, number in found.items() if number}


def _instructions(project: int, gold: bool) -> Select[*tuple[Any, ...]]:
    columns = [Instruction.id, Instruction.key, *(getattr(Instruction, name) for name in _TOLD)]
    query = select(*columns).where(Instruction.project == project, instruction_in_use(Instruction.id))
    return (query if gold else query.where(~is_gold(Instruction.id))).order_by(Instruction.id)


def _outputs(project: int) -> Select[*tuple[Any, ...]]:
    told = (Output.text, Output.origin, Output.person, Output.model, Output.edited_from, Round.number)
    return (
        select(Output.instruction, Output.id, *told)
        .join(Instruction, Instruction.id == Output.instruction)
        .outerjoin(Round, Round.id == Output.round)
        .where(Instruction.project == project, in_use(Output.id))
        .order_by(Output.instruction, Output.id)
    )


def _answers(project: int) -> Select[*tuple[Any, ...]]:
    told = (Submission.person, Submission.guideline, Submission.at_ms, Submission.took_ms, Round.number)
    said = (Annotation.kind, Annotation.output, Annotation.criterion, Annotation.value, Annotation.text)
    return (
        select(Submission.instruction, Submission.id, *told, *said)
        .join(Submission, Submission.id == Annotation.submission)
        .join(Round, Round.id == Submission.round)
        .where(Round.project == project, is_last(None))
        .order_by(Submission.instruction, Submission.id, Annotation.id)
    )


class _Groups:
    """The rows of a query by their instruction, asked for in rising order."""

    def __init__(self, connection: Connection, query: Select[*tuple[Any, ...]]) -> None:
        self._groups = groupby(blocks(connection, query), key=lambda row: row.instruction)
        self._next = next(self._groups, None)

    def of(self, instruction: int) -> list[Any]:
        while self._next is not None and self._next[0] < instruction:
            self._next = next(self._groups, None)
        return list(self._next[1]) if self._next is not None and self._next[0] == instruction else []


def _output(row: Any, places: dict[int, int], naming: Naming, left_out: Counter[str]) -> GivenOutput:
    person = None if row.person is None else naming(row.person)
    origin = places.get(row.edited_from)
    if row.edited_from is not None and origin is None:
        left_out["references of edits to what was withdrawn"] += 1
    return GivenOutput(row.text, row.origin, row.model, person, row.number, origin)


def _answers_of(
    rows: list[Any], places: dict[int, int], outputs: tuple[GivenOutput, ...], naming: Naming, left_out: Counter[str]
) -> Iterator[GivenAnswer]:
    for _, group in groupby(rows, key=lambda row: row.id):
        told = list(group)
        held = [row for row in told if row.output is None or row.output in places]
        if len(held) < len(told):
            left_out["judgements of withdrawn outputs"] += len(told) - len(held)
        if held:
            one = held[0]
            said = _said(held, places, outputs)
            yield GivenAnswer(naming(one.person), said, one.number, one.guideline, one.at_ms, one.took_ms)


def _said(rows: list[Any], places: dict[int, int], outputs: tuple[GivenOutput, ...]) -> Said:
    held: dict[str, Any] = defaultdict(list)
    for row in rows:
        place = None if row.output is None else places[row.output]
        if row.kind in (Kind.WRITE, Kind.EDIT):
            edited = place is not None and outputs[place].edited_from is not None
            held["edits" if edited else "written"].append(place)
        elif row.kind == Kind.RATING:
            held["ratings"].append({"output": place, "criterion": row.criterion, "value": row.value})
        elif row.kind == Kind.RANK:
            held["ranks"].append({"output": place, "rank": int(row.value)})
        elif row.kind == Kind.REJECT:
            held["rejected"].append({"output": place, "reason": row.text})
        else:
            held[row.kind] = row.text
    return Said.model_validate(held)
