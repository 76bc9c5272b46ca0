"""What a person has said in the open round, and what of theirs is not saved yet: to look at, and to change."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, or_, select

from instructglm.annotation.queue.answers import Answer, read_answer
from instructglm.annotation.queue.claim import open_round_of
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import Assignment, Draft, Instruction, Submission, Unsaved
from instructglm.core.records import Record

_EXCERPT = 200  # characters


class MyAnswer(Record):
    """One's last save of an item: `submission` is its number, `prompt` the beginning of the last message."""

    submission: int
    assignment: int
    prompt: str
    revision: int
    at_ms: int
    answer: Answer


class Unfinished(Record):
    """An item of which something of one's own is kept and not saved: a draft, or answers that were refused."""

    assignment: int
    prompt: str
    has_draft: bool
    num_unsaved: int


def my_answers(
    store: Store, project: int, person: int, *, before: int | None = None, most: int = 50
) -> tuple[MyAnswer, ...]:
    """A person's answers in the project's open round, newest first; `before` is the last `submission` of a page."""
    with store.read() as connection:
        round = open_round_of(connection, project)
        if round is None:
            return ()
        rows = _last_saves(connection, round.id, person, before, most)
        return tuple(_mine(connection, row) for row in rows)


def _last_saves(connection: Connection, round: int, person: int, before: int | None, most: int) -> list[Row[Any]]:
    later = Submission.__table__.alias("later")
    newer = exists().where(later.c.assignment == Submission.assignment, later.c.revision > Submission.revision)
    columns = (Submission.id, Submission.assignment, Submission.revision, Submission.at_ms, Instruction.messages)
    query = (
        select(*columns)
        .join(Instruction, Instruction.id == Submission.instruction)
        .where(Submission.round == round, Submission.person == person, ~newer)
    )
    if before is not None:
        query = query.where(Submission.id < before)
    return list(connection.execute(query.order_by(Submission.id.desc()).limit(most)))


def _mine(connection: Connection, row: Any) -> MyAnswer:
    return MyAnswer(
        submission=row.id,
        assignment=row.assignment,
        prompt=_prompt(row.messages),
        revision=row.revision,
        at_ms=row.at_ms,
        answer=read_answer(connection, row.id),
    )


def _prompt(messages: Any) -> str:
    text = str(messages[-1]["content"])
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"


def unfinished(store: Store, project: int, person: int) -> tuple[Unfinished, ...]:
    """The items of the open round of which something is kept for this person and not saved, as they were given."""
    with store.read() as connection:
        round = open_round_of(connection, project)
        if round is None:
            return ()
        num_unsaved = select(func.count()).where(_theirs(Unsaved)).correlate(Assignment).scalar_subquery()
        has_draft, has_unsaved = exists().where(_theirs(Draft)), exists().where(_theirs(Unsaved))
        query = (
            select(func.max(Assignment.id), Instruction.messages, has_draft, num_unsaved)  # one may have had it twice
            .join(Instruction, Instruction.id == Assignment.instruction)
            .where(Assignment.round == round.id, Assignment.person == person, or_(has_draft, has_unsaved))
            .group_by(Assignment.round, Assignment.person, Assignment.instruction, Instruction.messages)
        )
        rows = connection.execute(query.order_by(func.max(Assignment.id)))
        return tuple(
            Unfinished(assignment=number, prompt=_prompt(messages), has_draft=draft, num_unsaved=count)
            for number, messages, draft, count in rows
        )


def _theirs(table: type[Draft] | type[Unsaved]) -> ColumnElement[bool]:
    return and_(
        table.round == Assignment.round,
        table.person == Assignment.person,
        table.instruction == Assignment.instruction,
    )
