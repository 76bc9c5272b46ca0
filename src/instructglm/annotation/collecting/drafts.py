"""Outputs that a model drafts for instructions, and which instructions it has drafted already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any, NamedTuple

from pydantic import Field
from sqlalchemy import Connection, select

from instructglm.annotation.queue.tasks import in_use, instruction_in_use
from instructglm.annotation.store.chain import Change, record
from instructglm.annotation.store.projects import read_project
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import Event, Instruction, Origin, Output
from instructglm.core.ids import content_hash
from instructglm.core.records import Message, Record

_EVENT = "drafted"


class Recipe(Record):
    """What decides the drafts of an instruction: the model, by a name that says which weights, and how it samples."""

    model: str
    k: int = Field(3, ge=1, le=100)
    temperature: float = Field(1.0, gt=0)
    top_p: float = Field(1.0, gt=0, le=1)
    max_new_tokens: int = Field(256, ge=1)
    seed: int = 0

    @property
    def name(self) -> str:
        return content_hash(self.model_dump(mode="json"))


class Undrafted(NamedTuple):
    """An instruction to draft outputs for."""

    instruction: int
    key: str
    messages: tuple[Message, ...]


class Drafts(Record):
    """What a model made of one instruction.

    `texts` are distinct and not blank; `num_cut` of all that were drawn were
    stopped for length, `num_repeated` were as another one, `num_blank` said
    nothing. `left_out` says why nothing was drawn.
    """

    instruction: int
    texts: tuple[str, ...] = ()
    num_cut: int = 0
    num_repeated: int = 0
    num_blank: int = 0
    left_out: str = ""


class DraftedItem(Record):
    """What the log holds of an instruction's drafts; `num_known` texts were outputs of it already."""

    instruction: int
    num_stored: int
    num_known: int
    num_cut: int
    num_repeated: int
    num_blank: int
    left_out: str


def undrafted(store: Store, project: int, recipe: Recipe, *, only_empty: bool = True) -> list[int]:
    """The instructions in use that this recipe has not been applied to, in the order of their coming.

    Args:
        store: where.
        project: whose.
        recipe: which.
        only_empty: only those without any output in use.

    Raises:
        DataError: there is no such project.
    """
    done = {one.instruction for one in drafted(store, project, recipe)}
    has_output = select(Output.id).where(Output.instruction == Instruction.id, in_use(Output.id)).exists()
    query = select(Instruction.id).where(Instruction.project == project, instruction_in_use(Instruction.id))
    with store.read() as connection:
        read_project(connection, project)
        found = connection.scalars((query.where(~has_output) if only_empty else query).order_by(Instruction.id))
        return [number for number in found if number not in done]


def read_undrafted(store: Store, instructions: Sequence[int]) -> list[Undrafted]:
    """These instructions with their prompts, in this order."""
    query = select(Instruction.id, Instruction.key, Instruction.messages)
    with store.read() as connection:
        rows = connection.execute(query.where(Instruction.id.in_(instructions)))
        found = {row.id: Undrafted(row.id, row.key, _messages(row.messages)) for row in rows}
    return [found[number] for number in instructions]


def _messages(held: Iterable[Any]) -> tuple[Message, ...]:
    return tuple(Message.model_validate(message) for message in held)


def drafted(store: Store, project: int, recipe: Recipe) -> tuple[DraftedItem, ...]:
    """What this recipe made of every instruction that it was applied to, in the order of the doing."""
    query = select(Event.body).where(Event.project == project, Event.kind == _EVENT).order_by(Event.number)
    with store.read() as connection:
        bodies: list[Any] = list(connection.scalars(query))
    items = (item for body in bodies if body["recipe"] == recipe.name for item in body["items"])
    return tuple(DraftedItem.model_validate(item) for item in items)


def add_drafts(store: Store, project: int, recipe: Recipe, drafts: Sequence[Drafts]) -> tuple[DraftedItem, ...]:
    """Store what a model drafted for some instructions, all of it or nothing; no output twice.

    Of an instruction that was withdrawn meanwhile nothing is stored.
    """
    if not drafts:
        return ()
    with store.write() as write:
        wanted = [one.instruction for one in drafts]
        here, known = _in_use(write.connection, project, wanted), _texts(write.connection, wanted)
        change, items, ids = Change(_EVENT, project), [], count(write.next_id(Output.id))
        for one in drafts:
            kept = one.texts if one.instruction in here else ()
            new = [text for text in kept if (one.instruction, text) not in known]
            values = {"instruction": one.instruction, "origin": str(Origin.MODEL), "model": recipe.model}
            for text in new:
                change.add(Output, id=next(ids), text=text, **values)
            items.append(_item(one, len(new)))
        told = {**recipe.model_dump(mode="json"), "recipe": recipe.name}
        change.body = {**told, "items": [item.model_dump(mode="json") for item in items]}
        record(write, change)
    return tuple(items)


def _item(one: Drafts, num_stored: int) -> DraftedItem:
    counts = one.model_dump(include={"instruction", "num_cut", "num_repeated", "num_blank", "left_out"})
    return DraftedItem(num_stored=num_stored, num_known=len(one.texts) - num_stored, **counts)


def _in_use(connection: Connection, project: int, instructions: Sequence[int]) -> set[int]:
    query = select(Instruction.id).where(Instruction.project == project, instruction_in_use(Instruction.id))
    return set(connection.scalars(query.where(Instruction.id.in_(instructions))))


def _texts(connection: Connection, instructions: Sequence[int]) -> set[tuple[int, str]]:
    """The outputs that these instructions have, withdrawn ones too: what was taken out is not put in again."""
    query = select(Output.instruction, Output.text).where(Output.instruction.in_(instructions))
    return {(row.instruction, row.text) for row in connection.execute(query)}
