"""Adjudication: a reviewer sees all outputs of an item and what was said of them, without names, and decides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Self

from pydantic import Field, model_validator
from sqlalchemy import Connection, exists, func, select

from instructglm.annotation.queue.answers import Answer, read_answer
from instructglm.annotation.queue.leases import is_silent
from instructglm.annotation.queue.tasks import ShownOutput, in_use, instruction_in_use
from instructglm.annotation.store.chain import Change, head, record
from instructglm.annotation.store.people import read_person
from instructglm.annotation.store.projects import read_project
from instructglm.annotation.store.store import Store, Write
from instructglm.annotation.store.tables import (
    IS_LEASED,
    Assignment,
    Decision,
    Instruction,
    Item,
    Output,
    Role,
    Round,
    Submission,
)
from instructglm.core.errors import DataError
from instructglm.core.ids import canonical_json, unit_interval
from instructglm.core.records import Message, Record


class Verdict(Record):
    """What a reviewer decides: the outputs that are accepted (none: the item is not used), a label, and why."""

    accepted: tuple[int, ...] = ()
    label: str | None = None
    reason: str = Field(min_length=1)

    @model_validator(mode="after")
    def _accepts_once(self) -> Self:
        if len(set(self.accepted)) < len(self.accepted):
            raise ValueError("an output is accepted twice")
        return self


class Voice(Record):
    """What somebody said of the item; who, is not told."""

    round: int
    answer: Answer


class Case(Record):
    """An item before a reviewer. Send `seen_event` and `revision` back with the verdict.

    Outputs and voices stand in an order of this reviewer's own, so that a
    place tells nothing of a person.
    """

    instruction: int
    task: str
    domain: str
    messages: tuple[Message, ...]
    choices: tuple[str, ...]
    outputs: tuple[ShownOutput, ...]
    voices: tuple[Voice, ...]
    revision: int
    verdict: Verdict | None
    seen_event: int


class Decided(Record):
    """The verdict is on the disk."""

    decision: int
    revision: int
    event: int
    repeated: bool = False


class Overtaken(Record):
    """Somebody decided, or annotated the item, after the reviewer saw it. Nothing was overwritten."""

    stored: Verdict | None
    stored_revision: int
    sent: Verdict
    num_new_answers: int


def undecided(store: Store, project: int) -> Iterator[int]:
    """The instructions with all answers of some round, no decision since, and in nobody's hands, in their order.

    A lease that has ended holds nothing up, though its round be closed and
    nobody give it back.
    """
    leased = (IS_LEASED, ~Assignment.is_gold)
    missing = exists().where(*leased, Assignment.round == Item.round, Assignment.instruction == Item.instruction)
    done = exists().where(Item.instruction == Instruction.id, Item.taken == Item.needed, ~missing)
    decided = exists().where(Decision.instruction == Instruction.id, Decision.seen_event >= _last_answer())
    query = select(Instruction.id).where(
        Instruction.project == project, done, ~decided, instruction_in_use(Instruction.id)
    )
    with store.read() as connection:
        lease_ms = read_project(connection, project).settings.lease_ms
        held = (*leased, ~is_silent(store.now_ms(connection), lease_ms))
        in_hands = exists().where(Assignment.instruction == Instruction.id, *held)
        yield from connection.scalars(query.where(~in_hands).order_by(Instruction.id))


def _last_answer() -> Any:
    return (
        select(func.coalesce(func.max(Submission.event), 0))
        .where(Submission.instruction == Instruction.id)
        .correlate(Instruction)
        .scalar_subquery()
    )


def open_case(store: Store, person: int, instruction: int) -> Case:
    """An item with everything that was said of it.

    Raises:
        DataError: the person is no reviewer, or there is no such instruction.
    """
    with store.read() as connection:
        _see_reviewer(connection, person)
        columns = (Instruction.task, Instruction.domain, Instruction.messages, Instruction.choices)
        found = connection.execute(select(*columns).where(Instruction.id == instruction)).first()
        if found is None:
            raise DataError(f"there is no instruction {instruction}")
        last = _last_decision(connection, instruction)
        return Case(
            instruction=instruction,
            task=found.task,
            domain=found.domain,
            messages=tuple(Message.model_validate(message) for message in found.messages),
            choices=tuple(found.choices),
            outputs=_outputs(connection, person, instruction),
            voices=_voices(connection, person, instruction),
            revision=last.revision if last else 0,
            verdict=_verdict(last),
            seen_event=head(connection).number,
        )


def _see_reviewer(connection: Connection, person: int) -> None:
    found = read_person(connection, person)
    if found.is_removed or found.role not in (Role.REVIEWER, Role.ADMIN):
        raise DataError(f"{found.name} may not decide", hint="An admin can make them a reviewer.")


def _outputs(connection: Connection, person: int, instruction: int) -> tuple[ShownOutput, ...]:
    rows = connection.execute(
        select(Output.id, Output.text).where(Output.instruction == instruction, in_use(Output.id))
    )
    mixed = sorted(rows, key=lambda row: unit_interval("order of a case", person, row.id))
    return tuple(ShownOutput(id=row.id, text=row.text) for row in mixed)


def _answers(connection: Connection, instruction: int) -> list[Any]:
    """The last save of every assignment of an item."""
    later = Submission.__table__.alias("later")
    newer = exists().where(later.c.assignment == Submission.assignment, later.c.revision > Submission.revision)
    query = select(Submission.id, Submission.event, Round.number).join(Round, Round.id == Submission.round)
    rows = connection.execute(query.where(Submission.instruction == instruction, ~newer).order_by(Submission.id))
    return list(rows)


def _voices(connection: Connection, person: int, instruction: int) -> tuple[Voice, ...]:
    mixed = sorted(_answers(connection, instruction), key=lambda row: unit_interval("order of voices", person, row.id))
    return tuple(Voice(round=row.number, answer=read_answer(connection, row.id)) for row in mixed)


def _last_decision(connection: Connection, instruction: int) -> Any:
    columns = (Decision.revision, Decision.accepted, Decision.label, Decision.reason)
    query = select(*columns).where(Decision.instruction == instruction)
    return connection.execute(query.order_by(Decision.revision.desc()).limit(1)).first()


def _verdict(row: Any) -> Verdict | None:
    return None if row is None else Verdict(accepted=tuple(row.accepted), label=row.label, reason=row.reason)


def decide(store: Store, person: int, case: Case, verdict: Verdict, *, key: str) -> Decided | Overtaken:
    """Store a reviewer's verdict on a case as they saw it: who, when, why, from what.

    `key` is the client's own name for it: trying again stores nothing twice.

    Raises:
        DataError: the person is no reviewer, there is no such item, the key was used for another verdict, or the
            verdict does not fit the item; nothing was stored.
    """
    with store.write() as write:
        _see_reviewer(write.connection, person)
        repeated = _repeated(write.connection, person, case.instruction, key, verdict)
        if repeated is not None:
            return repeated
        _check(write.connection, case.instruction, verdict)
        last = _last_decision(write.connection, case.instruction)
        answers = _answers(write.connection, case.instruction)
        num_new = sum(answer.event > case.seen_event for answer in answers)
        revision = last.revision if last else 0
        if num_new or revision != case.revision:
            return Overtaken(stored=_verdict(last), stored_revision=revision, sent=verdict, num_new_answers=num_new)
        return _store(write, person, case, verdict, key, [answer.id for answer in answers])


def _hash(verdict: Verdict) -> str:
    return hashlib.sha256(canonical_json(verdict.model_dump(mode="json")).encode()).hexdigest()


def _repeated(connection: Connection, person: int, instruction: int, key: str, verdict: Verdict) -> Decided | None:
    columns = (Decision.id, Decision.revision, Decision.event, Decision.answer_hash, Decision.instruction)
    query = select(*columns).where(Decision.person == person, Decision.key == key)
    found = connection.execute(query).first()
    if found is None:
        return None
    if (found.instruction, found.answer_hash) != (instruction, _hash(verdict)):
        raise DataError("this key was used for another verdict", hint="Open the case again.")
    return Decided(decision=found.id, revision=found.revision, event=found.event, repeated=True)


def _check(connection: Connection, instruction: int, verdict: Verdict) -> None:
    choices = connection.scalar(select(Instruction.choices).where(Instruction.id == instruction))
    if choices is None:
        raise DataError(f"there is no instruction {instruction}", hint="Nothing was stored.")
    known = set(connection.scalars(select(Output.id).where(Output.instruction == instruction, in_use(Output.id))))
    faults = [f"output {one}: not one of this item's" for one in verdict.accepted if one not in known]
    if verdict.label is not None and verdict.label not in choices:
        faults.append(f"label: found {verdict.label!r}; expected one of {', '.join(choices) or 'none'}")
    if faults:
        raise DataError(*faults, hint="Nothing was stored.")


def _store(write: Write, person: int, case: Case, verdict: Verdict, key: str, seen: list[int]) -> Decided:
    project = write.connection.scalar(select(Instruction.project).where(Instruction.id == case.instruction))
    change, number = Change("decided", project, person), write.next_id(Decision.id)
    change.add(
        Decision,
        id=number,
        instruction=case.instruction,
        person=person,
        revision=case.revision + 1,
        key=key,
        answer_hash=_hash(verdict),
        accepted=list(verdict.accepted),
        label=verdict.label,
        reason=verdict.reason,
        seen_event=case.seen_event,
        seen=seen,
        at_ms=write.now_ms,
    )
    event = record(write, change)
    return Decided(decision=number, revision=case.revision + 1, event=event.number)
