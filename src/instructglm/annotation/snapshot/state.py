"""A project as it stood at an event of the log: what a snapshot is taken of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from instructglm.annotation.store.chain import START, Head
from instructglm.annotation.store.projects import Settings, read_project
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import (
    Annotation,
    Decision,
    Event,
    GoldAnswer,
    Instruction,
    Kind,
    Output,
    Round,
    Submission,
    Withdrawal,
)
from instructglm.core.errors import DataError


class Verdict(NamedTuple):
    """A reviewer's last word on an instruction."""

    accepted: frozenset[int]
    label: str | None


class Withdrawn(NamedTuple):
    """An instruction (`output` None) or an output, by itself or with its instruction, that is out of use, and why."""

    instruction: int
    output: int | None
    reason: str


@dataclass(frozen=True)
class State:
    """Where a project stood. Everything is read up to `head`, the last event that is the project's own.

    `salt` is the store's own, so that a pseudonym cannot be made from a person's number alone.
    """

    store: Store
    project: int
    name: str
    settings: Settings
    head: Head
    salt: str
    verdicts: dict[int, Verdict]
    num_reviewers: int
    gold: dict[int, str | None]
    """Instruction -> its known label; None where a rating is known."""
    withdrawn: tuple[Withdrawn, ...]
    num_answers_by_round: dict[int, int]
    num_answers_by_guideline: dict[int | None, int]
    """Guideline version (None: there was none) -> how many answers were given under it."""


def read_state(store: Store, project: int, as_of: int | None = None) -> State:
    """A project as it stands, or as it stood after event `as_of`.

    Raises:
        DataError: there is no such project or event, or the project was made later.
    """
    with store.read() as connection:
        name = read_project(connection, project).name
        head = _head(connection, project, name, as_of)
        return State(
            store=store,
            project=project,
            name=name,
            settings=_settings(connection, project, head.number),
            head=head,
            salt=connection.scalar(select(Event.hash).where(Event.number == 1)) or START,
            verdicts=_verdicts(connection, project, head.number),
            num_reviewers=_num_reviewers(connection, project, head.number),
            gold=_gold(connection, project, head.number),
            withdrawn=_withdrawn(connection, project, head.number),
            num_answers_by_round=_answers_by(connection, Round.number, project, head.number),
            num_answers_by_guideline=_answers_by(connection, Submission.guideline, project, head.number),
        )


def _head(connection: Connection, project: int, name: str, as_of: int | None) -> Head:
    """The last event of the project: those of other projects change nothing of it."""
    end = connection.scalar(select(func.max(Event.number))) or 0
    if as_of is not None and not 1 <= as_of <= end:
        raise DataError(f"there is no event {as_of}", hint=f"The log holds 1 to {end}.")
    query = select(Event.number, Event.hash, Event.at_ms).where(Event.project == project)
    query = query.where(Event.number <= (end if as_of is None else as_of))
    last = connection.execute(query.order_by(Event.number.desc()).limit(1)).first()
    if last is None:
        raise DataError(f"at event {as_of} there was no project {name}", hint="Name a later event.")
    return Head(*last)


def _settings(connection: Connection, project: int, until: int) -> Settings:
    """As the log tells them: the project's own row has only the newest."""
    kinds = ("project created", "settings changed")
    query = select(Event.body).where(Event.project == project, Event.kind.in_(kinds), Event.number <= until)
    body = connection.scalar(query.order_by(Event.number.desc()).limit(1))
    return Settings.model_validate(body["settings"]) if body else read_project(connection, project).settings


def _verdicts(connection: Connection, project: int, until: int) -> dict[int, Verdict]:
    query = (
        select(Decision.instruction, Decision.accepted, Decision.label)
        .join(Instruction, Instruction.id == Decision.instruction)
        .where(Instruction.project == project, Decision.event <= until)
    )
    rows = connection.execute(query.order_by(Decision.instruction, Decision.revision))
    return {row.instruction: Verdict(frozenset(row.accepted), row.label) for row in rows}


def _num_reviewers(connection: Connection, project: int, until: int) -> int:
    query = select(func.count(Decision.person.distinct())).join(Instruction, Instruction.id == Decision.instruction)
    return connection.scalar(query.where(Instruction.project == project, Decision.event <= until)) or 0


def _gold(connection: Connection, project: int, until: int) -> dict[int, str | None]:
    query = (
        select(GoldAnswer.instruction, GoldAnswer.label)
        .join(Instruction, Instruction.id == GoldAnswer.instruction)
        .where(Instruction.project == project, GoldAnswer.event <= until)
    )
    known: dict[int, str | None] = {}
    for row in connection.execute(query.order_by(GoldAnswer.id)):
        known[row.instruction] = row.label or known.get(row.instruction)
    return known


def _withdrawn(connection: Connection, project: int, until: int) -> tuple[Withdrawn, ...]:
    here = (Instruction.project == project, Withdrawal.event <= until)
    of_item = select(Withdrawal.instruction, Withdrawal.reason).join(
        Instruction, Instruction.id == Withdrawal.instruction
    )
    of_output = (
        select(Output.instruction, Withdrawal.output, Withdrawal.reason)
        .join(Output, Output.id == Withdrawal.output)
        .join(Instruction, Instruction.id == Output.instruction)
    )
    with_item = (
        select(Output.instruction, Output.id.label("output"), Withdrawal.reason)
        .join(Withdrawal, Withdrawal.instruction == Output.instruction)
        .join(Instruction, Instruction.id == Output.instruction)
        .where(Output.event <= until)
    )
    gone: dict[tuple[int, int | None], Withdrawn] = {}
    for row in connection.execute(of_item.where(*here).order_by(Withdrawal.id)):
        gone[row.instruction, None] = Withdrawn(row.instruction, None, row.reason)
    for query in (of_output.order_by(Withdrawal.id), with_item.order_by(Withdrawal.id, Output.id)):
        for number, output, reason in connection.execute(query.where(*here)):
            gone.setdefault((number, output), Withdrawn(number, output, reason))
    return tuple(gone.values())


def _answers_by(connection: Connection, column: Any, project: int, until: int) -> dict[Any, int]:
    """How many answers that hold were given in each round or under each guideline; what was skipped is none."""
    later = Submission.__table__.alias("later")
    newer = select(later.c.id).where(
        later.c.assignment == Submission.assignment, later.c.revision > Submission.revision, later.c.event <= until
    )
    skipped = select(Annotation.id).where(Annotation.submission == Submission.id, Annotation.kind == Kind.SKIP)
    query = (
        select(column, func.count())
        .select_from(Submission)
        .join(Round, Round.id == Submission.round)
        .where(Round.project == project, Submission.event <= until, ~newer.exists(), ~skipped.exists())
        .group_by(column)
    )
    return dict(sorted(((row[0], row[1]) for row in connection.execute(query)), key=lambda one: one[0] or 0))
