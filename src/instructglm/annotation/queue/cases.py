"""What a reviewer sees of an item: all outputs and what was said of them, without names."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator
from sqlalchemy import Connection, exists, select

from instructglm.annotation.queue.answers import Answer, Edit, read_answer
from instructglm.annotation.queue.tasks import ShownOutput, in_use
from instructglm.annotation.store.chain import head
from instructglm.annotation.store.people import read_person
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import (
    Decision,
    Instruction,
    Output,
    Role,
    Round,
    Submission,
)
from instructglm.core.errors import DataError
from instructglm.core.ids import canonical_json, unit_interval
from instructglm.core.records import Message, Record


class Verdict(Record):
    """What a reviewer decides: the outputs that are accepted (none: the item is not used), a label, and why.

    Texts of the reviewer's own, written anew or edited from one of the outputs,
    become outputs and are accepted: a stored verdict names them in `accepted`,
    after the others.
    """

    accepted: tuple[int, ...] = ()
    label: str | None = None
    reason: str = Field(min_length=1)
    written: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()

    @model_validator(mode="after")
    def _says_things_once(self) -> Self:
        if len(set(self.accepted)) < len(self.accepted):
            raise ValueError("an output is accepted twice")
        if not all(text.strip() for text in (*self.written, *(edit.text for edit in self.edits))):
            raise ValueError("a written output is empty")
        edited = [edit.output for edit in self.edits]
        if len({*self.written}) < len(self.written) or len({*edited}) < len(edited):
            raise ValueError("an output is written twice")
        return self

    @model_validator(mode="after")
    def _is_text(self) -> Self:
        try:
            canonical_json(self.model_dump(mode="json")).encode()
        except ValueError as error:
            raise ValueError("half a character (an unpaired surrogate)") from error
        return self


class Voice(Record):
    """What somebody said of the item; who, is not told. `is_new`: since the event that was asked about."""

    round: int
    answer: Answer
    is_new: bool = False


class Seen(Record):
    """Which state of an item a verdict rests on: its last decision, and the last event of the log."""

    instruction: int
    revision: int
    seen_event: int


class Case(Seen):
    """An item before a reviewer. Send what is `Seen` of it back with the verdict.

    Outputs and voices stand in an order of this reviewer's own, so that a
    place tells nothing of a person.
    """

    project: int
    task: str
    domain: str
    messages: tuple[Message, ...]
    choices: tuple[str, ...]
    outputs: tuple[ShownOutput, ...]
    voices: tuple[Voice, ...]
    verdict: Verdict | None


def open_case(store: Store, person: int, instruction: int, *, since: int | None = None) -> Case:
    """An item with everything that was said of it; what was said after the event `since` is marked.

    Raises:
        DataError: the person is no reviewer, or there is no such instruction.
    """
    with store.read() as connection:
        see_reviewer(connection, person)
        columns = (Instruction.project, Instruction.task, Instruction.domain, Instruction.messages, Instruction.choices)
        found = connection.execute(select(*columns).where(Instruction.id == instruction)).first()
        if found is None:
            raise DataError(f"there is no instruction {instruction}")
        last = last_decision(connection, instruction)
        return Case(
            instruction=instruction,
            project=found.project,
            task=found.task,
            domain=found.domain,
            messages=tuple(Message.model_validate(message) for message in found.messages),
            choices=tuple(found.choices),
            outputs=_outputs(connection, person, instruction),
            voices=_voices(connection, person, instruction, since),
            revision=last.revision if last else 0,
            verdict=verdict_of(last),
            seen_event=head(connection).number,
        )


def see_reviewer(connection: Connection, person: int) -> None:
    """See that a person may decide.

    Raises:
        DataError: they may not.
    """
    found = read_person(connection, person)
    if found.is_removed or found.role not in (Role.REVIEWER, Role.ADMIN):
        raise DataError(f"{found.name} may not decide", hint="An admin can make them a reviewer.")


def _outputs(connection: Connection, person: int, instruction: int) -> tuple[ShownOutput, ...]:
    rows = connection.execute(
        select(Output.id, Output.text).where(Output.instruction == instruction, in_use(Output.id))
    )
    mixed = sorted(rows, key=lambda row: unit_interval("order of a case", person, row.id))
    return tuple(ShownOutput(id=row.id, text=row.text) for row in mixed)


def last_answers(connection: Connection, instruction: int) -> list[Any]:
    """The last save of every assignment of an item: its id, its event, and the number of its round."""
    later = Submission.__table__.alias("later")
    newer = exists().where(later.c.assignment == Submission.assignment, later.c.revision > Submission.revision)
    query = select(Submission.id, Submission.event, Round.number).join(Round, Round.id == Submission.round)
    rows = connection.execute(query.where(Submission.instruction == instruction, ~newer).order_by(Submission.id))
    return list(rows)


def _voices(connection: Connection, person: int, instruction: int, since: int | None) -> tuple[Voice, ...]:
    rows = last_answers(connection, instruction)
    mixed = sorted(rows, key=lambda row: unit_interval("order of voices", person, row.id))
    return tuple(
        Voice(round=row.number, answer=read_answer(connection, row.id), is_new=since is not None and row.event > since)
        for row in mixed
    )


def last_decision(connection: Connection, instruction: int) -> Any:
    """The last decision on an item; None where there is none."""
    columns = (Decision.revision, Decision.accepted, Decision.label, Decision.reason)
    query = select(*columns).where(Decision.instruction == instruction)
    return connection.execute(query.order_by(Decision.revision.desc()).limit(1)).first()


def verdict_of(decision: Any) -> Verdict | None:
    """A decision as it was made; None of None."""
    if decision is None:
        return None
    return Verdict(accepted=tuple(decision.accepted), label=decision.label, reason=decision.reason)
