"""One instruction with all that stands in the store of it: for admins, who see names."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select

from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import Event, Instruction, Output, Person, Round, Withdrawal
from instructglm.core.records import Message, Record


class Gone(Record):
    """When something was taken out of use and why; `person` is None for the command line and Python."""

    person: str | None
    at_ms: int
    reason: str


class SeenOutput(Record):
    """An output with where it comes from: a `person` in a `round`, a `model`, or an import."""

    id: int
    text: str
    origin: str
    person: str | None
    model: str
    round: int | None
    edited_from: int | None
    gone: Gone | None = None


class SeenInstruction(Record):
    """An instruction and its outputs, those that were withdrawn too. `added_ms` is when it came."""

    id: int
    task: str
    messages: tuple[Message, ...]
    domain: str
    complexity: str
    language: str
    source: str
    licence: str
    choices: tuple[str, ...]
    extra: dict[str, Any]
    added_ms: int
    outputs: tuple[SeenOutput, ...]
    gone: Gone | None


def see_instruction(store: Store, project: int, instruction: int) -> SeenInstruction | None:
    """An instruction of a project by its id; None where it has none."""
    names = [name for name in SeenInstruction.model_fields if name not in ("added_ms", "outputs", "gone")]
    columns = [getattr(Instruction, name) for name in names]
    query = select(*columns, Event.at_ms.label("added_ms")).join(Event, Event.number == Instruction.event)
    with store.read() as connection:
        here = query.where(Instruction.id == instruction, Instruction.project == project)
        found = connection.execute(here).mappings().first()
        if found is None:
            return None
        whole = _gone(connection, Withdrawal.instruction == instruction)
        return SeenInstruction(**found, outputs=_outputs(connection, instruction), gone=whole.get(None))


def _outputs(connection: Connection, instruction: int) -> tuple[SeenOutput, ...]:
    gone = _gone(connection, Withdrawal.output.in_(select(Output.id).where(Output.instruction == instruction)))
    rows = connection.execute(_outputs_query(instruction)).mappings()
    return tuple(SeenOutput(**row, gone=gone.get(row["id"])) for row in rows)


def _outputs_query(instruction: int) -> Select[*tuple[Any, ...]]:
    columns = (Output.id, Output.text, Output.origin, Output.model, Output.edited_from)
    return (
        select(*columns, Person.name.label("person"), Round.number.label("round"))
        .outerjoin(Person, Person.id == Output.person)
        .outerjoin(Round, Round.id == Output.round)
        .where(Output.instruction == instruction)
        .order_by(Output.id)
    )


def _gone(connection: Connection, which: ColumnElement[bool]) -> dict[int | None, Gone]:
    """The first withdrawal of each output; of instructions by None."""
    query = (
        select(Withdrawal.output, Person.name.label("person"), Event.at_ms, Withdrawal.reason)
        .join(Event, Event.number == Withdrawal.event)
        .outerjoin(Person, Person.id == Event.person)
        .where(which)
        .order_by(Withdrawal.id.desc())
    )
    return {
        row.output: Gone(person=row.person, at_ms=row.at_ms, reason=row.reason) for row in connection.execute(query)
    }
