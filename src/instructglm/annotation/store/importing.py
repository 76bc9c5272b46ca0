"""Importing instructions with their outputs, in one transaction.

Everything is read and checked before the first row is written, so the writer's
lock is held for the writing alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, select

from instructglm.annotation.store.chain import Change, record
from instructglm.annotation.store.incoming import NewInstruction, NewOutput, read_record, short
from instructglm.annotation.store.projects import read_project
from instructglm.annotation.store.store import Store, Write
from instructglm.annotation.store.tables import Instruction, Origin, Output
from instructglm.core.errors import DataError
from instructglm.core.records import Fault, Record, example_id

_MOST_NAMED = 20  # faults in one message
_AT_ONCE = 500  # ids a query


class Imported(Record):
    """What an import stored.

    `num_known` instructions were there already: only new outputs of them were
    added. `num_repeated` records hold the prompt of an earlier one of this
    import; where they say something else of it (`differing`), the first holds.
    """

    num_instructions: int
    num_outputs: int
    num_known: int
    num_repeated: int
    differing: tuple[Fault, ...]
    faults: tuple[Fault, ...]


class _Prompt(NamedTuple):
    key: str
    messages: list[dict[str, Any]]
    held: NewInstruction
    outputs: dict[str, NewOutput]  # by text: the same answer twice is one


class Prompts:
    """The prompts of an import, each once, with the outputs of all records of it."""

    def __init__(self) -> None:
        self.by_key: dict[str, _Prompt] = {}
        self.differing: list[Fault] = []
        self.num_records = 0

    def add(self, place: str, held: NewInstruction) -> str:
        """Take one record and tell its prompt's key."""
        self.num_records += 1
        key = example_id(held.task, held.prompt())
        messages = [message.model_dump() for message in held.prompt()]
        prompt = self.by_key.setdefault(key, _Prompt(key, messages, held, {}))
        self.differing += _differences(place, prompt.held, held)
        prompt.outputs.update({output.text: output for output in held.outputs if output.text not in prompt.outputs})
        return key

    def imported(self, change: Change, faults: Sequence[Fault]) -> Imported:
        """The account of an import that made `change`."""
        num_new = len(change.rows.get(Instruction, ()))
        return Imported(
            num_instructions=num_new,
            num_outputs=len(change.rows.get(Output, ())),
            num_known=len(self.by_key) - num_new,
            num_repeated=self.num_records - len(self.by_key),
            differing=tuple(self.differing),
            faults=tuple(faults),
        )


def import_records(
    store: Store,
    project: int,
    records: Iterable[tuple[str, Any] | Fault],
    *,
    faulty: Literal["refuse", "leave out"] = "refuse",
    person: int | None = None,
) -> Imported:
    """Store instructions and outputs from decoded JSON values.

    `records` are pairs of place and value, or the faults of what could not be
    decoded. A faulty record is named by its place (`raw.jsonl:17`). Either nothing is
    imported then, or everything else.

    Raises:
        DataError: records are faulty and `faulty` is "refuse": nothing was stored.
    """
    prompts, faults = _read(records)
    if faults and faulty == "refuse":
        raise refusal(faults)
    with store.write() as write:
        read_project(write.connection, project)
        change, _ = content_change(write, project, person, prompts)
        change.body = row_counts(change)
        if change.rows:
            record(write, change)
    return prompts.imported(change, faults)


def import_one(write: Write, project: int, value: Any, *, person: int | None = None) -> int:
    """Store one instruction within a transaction that does more, and tell its id; one that is there keeps its own.

    Raises:
        DataError: it is faulty.
    """
    prompts, faults = _read([("instruction", value)])
    if faults:
        raise refusal(faults)
    change, ids = content_change(write, project, person, prompts)
    change.body = row_counts(change)
    if change.rows:
        record(write, change)
    (key,) = prompts.by_key
    return ids[key]


def refusal(faults: Sequence[Fault]) -> DataError:
    """What refuses an import, the first of its faults named."""
    lines = [str(fault) for fault in faults[:_MOST_NAMED]]
    if len(faults) > _MOST_NAMED:
        lines.append(f"and {len(faults) - _MOST_NAMED} more")
    return DataError(*lines, hint="Nothing was imported. Mend them, or leave faulty records out and import the rest.")


def _read(records: Iterable[tuple[str, Any] | Fault]) -> tuple[Prompts, list[Fault]]:
    prompts, faults = Prompts(), list[Fault]()
    for found in records:
        if isinstance(found, Fault):
            faults.append(found)
        elif isinstance(held := read_record(*found), list):
            faults += held
        else:
            prompts.add(found[0], held)
    return prompts, faults


_TOLD_OF_PROMPTS = ("domain", "complexity", "language", "source", "licence", "choices", "extra")


def _differences(place: str, first: NewInstruction, held: NewInstruction) -> Iterator[Fault]:
    """What a record says of a prompt that the first record of it said otherwise."""
    for name in _TOLD_OF_PROMPTS:
        expected, found = getattr(first, name), getattr(held, name)
        if expected != found:
            expected = f"{short(expected)}, as the first of this prompt says"
            yield Fault(row=place, field=name, found=short(found), expected=expected)


def content_change(write: Write, project: int, person: int | None, prompts: Prompts) -> tuple[Change, dict[str, int]]:
    """The event that stores what is new, and the id of every prompt's instruction by its key."""
    change, held = Change("imported", project, person), prompts.by_key.values()
    known = known_prompts(write.connection, project, list(prompts.by_key))
    stored = _stored_outputs(write.connection, [known[prompt.key] for prompt in held if prompt.key in known])
    instruction_ids, output_ids = count(write.next_id(Instruction.id)), count(write.next_id(Output.id))
    for prompt in held:
        if (instruction := known.get(prompt.key)) is None:
            instruction = known[prompt.key] = next(instruction_ids)
            change.add(Instruction, id=instruction, project=project, **_columns(prompt))
        for text, output in prompt.outputs.items():
            if (instruction, text) not in stored:
                origin = Origin.MODEL if output.model else Origin.IMPORTED
                values = {"text": text, "origin": origin, "model": output.model}
                change.add(Output, id=next(output_ids), instruction=instruction, **values)
    return change, known


def row_counts(change: Change) -> dict[str, int]:
    """How many rows of each table an event makes: what its body tells."""
    return {table.__tablename__: len(rows) for table, rows in change.rows.items()}  # type: ignore[attr-defined]


def _columns(prompt: _Prompt) -> dict[str, Any]:
    held = prompt.held
    return {
        "key": prompt.key,
        "messages": prompt.messages,
        "task": held.task,
        "domain": held.domain,
        "complexity": held.complexity,
        "language": held.language,
        "source": held.source,
        "licence": held.licence,
        "choices": list(held.choices),
        "extra": held.extra,
    }


def known_prompts(connection: Connection, project: int, keys: Sequence[str]) -> dict[str, int]:
    """The ids of instructions by key, withdrawn ones too; of few keys those alone are looked up, else all."""
    query = select(Instruction.key, Instruction.id).where(Instruction.project == project)
    few = query.where(Instruction.key.in_(keys)) if len(keys) <= _AT_ONCE else query
    return {row.key: row.id for row in connection.execute(few)}


def _stored_outputs(connection: Connection, instructions: Sequence[int]) -> set[tuple[int, str]]:
    """The instruction and the text of every output that is there already."""

    def pairs() -> Iterator[tuple[int, str]]:
        for start in range(0, len(instructions), _AT_ONCE):
            ids = instructions[start : start + _AT_ONCE]
            query = select(Output.instruction, Output.text).where(Output.instruction.in_(ids))
            yield from ((row.instruction, row.text) for row in connection.execute(query))

    return set(pairs())
