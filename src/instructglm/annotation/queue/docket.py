"""Which items wait for a reviewer's verdict, and which have one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, exists, func, select

from instructglm.annotation.queue.leases import is_silent
from instructglm.annotation.queue.tasks import instruction_in_use
from instructglm.annotation.store.projects import read_project
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import (
    IS_LEASED,
    Assignment,
    Decision,
    Instruction,
    Item,
    Round,
    Submission,
)


class Waiting(NamedTuple):
    """An instruction that waits for a verdict, or has one."""

    instruction: int
    domain: str


class DecidedCase(NamedTuple):
    """An instruction with its last verdict. `reviewer` is who gave it."""

    instruction: int
    domain: str
    num_accepted: int
    label: str | None
    reason: str
    reviewer: int
    revision: int
    at_ms: int


class Gist(NamedTuple):
    """What tells one instruction from another in a list."""

    text: str
    num_answers: int


def undecided(store: Store, project: int) -> Iterator[int]:
    """The instructions with all answers of some round, no decision since, and in nobody's hands, in their order.

    A lease that has ended holds nothing up, though its round be closed and
    nobody give it back.
    """
    return (one.instruction for one in waiting_cases(store, project))


def waiting_cases(store: Store, project: int) -> list[Waiting]:
    """The same with their domains."""
    with store.read() as connection:
        lease_ms = read_project(connection, project).settings.lease_ms
        query = _waiting(project, ~is_silent(store.now_ms(connection), lease_ms))
        return [Waiting._make(row) for row in connection.execute(query)]


def _waiting(project: int, held: ColumnElement[bool]) -> Select[int, str]:
    in_hands = exists().where(Assignment.instruction == Instruction.id, *_leased(), held)
    return (
        select(Instruction.id, Instruction.domain)
        .where(Instruction.id.in_(_done(project)), ~_is_decided(), ~in_hands, instruction_in_use(Instruction.id))
        .order_by(Instruction.id)
    )


def _leased() -> tuple[ColumnElement[bool], ...]:
    return (IS_LEASED, ~Assignment.is_gold)


def _done(project: int) -> Select[int]:
    """The instructions of which some round has all answers; looked up by round, as the queue's index has them."""
    mine = (Assignment.round == Item.round, Assignment.instruction == Item.instruction)
    missing = exists().where(*_leased(), *mine)
    rounds = select(Round.id).where(Round.project == project)
    return select(Item.instruction).where(Item.round.in_(rounds), Item.taken == Item.needed, ~missing)


def _is_decided() -> ColumnElement[bool]:
    """Whether there is a decision that saw the last answer."""
    last_answer = (
        select(func.coalesce(func.max(Submission.event), 0))
        .where(Submission.instruction == Instruction.id)
        .correlate(Instruction)
        .scalar_subquery()
    )
    return exists().where(Decision.instruction == Instruction.id, Decision.seen_event >= last_answer)


def decided_cases(store: Store, project: int, *, most: int, domain: str | None = None) -> list[DecidedCase]:
    """The last verdicts of a project, newest first, at most so many; an item that waits anew has one too."""
    later = Decision.__table__.alias("later")
    newest = ~exists().where(later.c.instruction == Decision.instruction, later.c.revision > Decision.revision)
    columns = (Decision.instruction, Instruction.domain, Decision.accepted, Decision.label, Decision.reason)
    query = (
        select(*columns, Decision.person, Decision.revision, Decision.at_ms)
        .join(Instruction, Instruction.id == Decision.instruction)
        .where(Instruction.project == project, newest, instruction_in_use(Instruction.id))
        .order_by(Decision.id.desc())
        .limit(most)
    )
    with store.read() as connection:
        rows = connection.execute(query if domain is None else query.where(Instruction.domain == domain)).all()
    return [DecidedCase(row[0], row[1], len(row.accepted), *row[3:]) for row in rows]


def num_decided(store: Store, project: int) -> int:
    """How many instructions of a project have a verdict."""
    query = select(func.count(Decision.instruction.distinct())).join(Instruction)
    with store.read() as connection:
        return connection.scalar(query.where(Instruction.project == project)) or 0


def gists(store: Store, instructions: Sequence[int]) -> dict[int, Gist]:
    """The last message of some instructions, and how many people answered each; a few hundred at most."""
    answers = (
        select(func.count(Submission.person.distinct()))
        .where(Submission.instruction == Instruction.id)
        .correlate(Instruction)
        .scalar_subquery()
    )
    query = select(Instruction.id, Instruction.messages, answers).where(Instruction.id.in_(instructions))
    with store.read() as connection:
        rows = connection.execute(query).all()
    return {number: Gist(messages[-1]["content"], count) for number, messages, count in rows}
