"""Gold items: instructions whose answer is known, hidden among the others.

Everybody meets each of them at most once a round, in an order of their own, and
nothing in a `Task` tells one from another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field
from sqlalchemy import Connection, and_, case, exists, func, or_, select

from instructglm.annotation.queue.tasks import instruction_in_use
from instructglm.annotation.store.chain import Change, origin_in, record
from instructglm.annotation.store.projects import ProjectInfo, Scale, read_project
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import (
    IS_KEPT,
    Annotation,
    Assignment,
    GoldAnswer,
    Instruction,
    Item,
    Kind,
    Output,
    Person,
    Round,
    State,
    Submission,
)
from instructglm.core.errors import DataError
from instructglm.core.ids import unit_interval
from instructglm.core.proportions import wilson
from instructglm.core.records import Record


class Gold(Record):
    """A known answer: the `label` of an instruction, or the `value` of one output by a criterion, give or take."""

    instruction: int
    label: str | None = None
    output: int | None = None
    criterion: str = ""
    value: float | None = Field(None, allow_inf_nan=False)
    tolerance: float = Field(0.0, ge=0, allow_inf_nan=False)


class GoldScore(Record):
    """How often a person gave the known answer: `hits` of `n`, with Wilson's interval; `share` is None where n is 0."""

    person: int
    name: str
    hits: int
    n: int
    share: float | None
    low: float
    high: float


def add_gold(store: Store, project: int, answers: Sequence[Gold], *, person: int | None = None) -> None:
    """Tell known answers. A later one replaces an earlier one of the same question.

    Raises:
        DataError: an answer is of no instruction or output of the project, of one in the queue of its open round,
            is neither a label nor a value, or one that nobody can give.
    """
    with store.write() as write:
        info = read_project(write.connection, project)
        faults = [fault for answer in answers for fault in _faults(write.connection, info, answer)]
        if faults:
            raise DataError(*faults, hint="Nothing was stored.")
        change, first = Change("gold added", project, person, {"answers": len(answers)}), write.next_id(GoldAnswer.id)
        for number, answer in enumerate(answers, start=first):
            change.add(GoldAnswer, id=number, **answer.model_dump())
        record(write, change)


def _faults(connection: Connection, info: ProjectInfo, answer: Gold) -> Iterator[str]:
    where = f"gold of instruction {answer.instruction}"
    query = select(Instruction.choices).where(Instruction.id == answer.instruction, Instruction.project == info.id)
    found = connection.execute(query).first()
    if found is None:
        yield f"{where}: the project has no such instruction"
        return
    if _is_queued(connection, answer.instruction):
        yield f"{where}: it is in the queue of the open round; expected one that is not, or a closed round"
    if (answer.label is None) == (answer.value is None):
        yield f"{where}: found {'both' if answer.label else 'neither'}; expected a label or a value"
    elif answer.label is not None and answer.label not in found.choices:
        expected = f"one of {', '.join(found.choices)}" if found.choices else "a value: it has no choices"
        yield f"{where}: found {answer.label!r}; expected {expected}"
    elif answer.value is not None:
        if not _has_output(connection, answer):
            yield f"{where}: a value needs one of its outputs; found {answer.output}"
        yield from (f"{where}: {fault}" for fault in _off_the_scale(info.settings.criteria, answer))


def _is_queued(connection: Connection, instruction: int) -> bool:
    """Whether people meet it as an ordinary item: met as gold too, it would never find all its annotators."""
    query = select(Item.instruction).join(Round, Round.id == Item.round)
    return connection.scalar(query.where(Item.instruction == instruction, Round.is_open)) is not None


def _off_the_scale(criteria: dict[str, Scale], answer: Gold) -> Iterator[str]:
    scale = criteria.get(answer.criterion)
    if scale is None:
        yield f"criterion {answer.criterion!r}; expected one of {', '.join(criteria)}"
    elif answer.value is not None and not scale.low <= answer.value <= scale.high:
        yield f"found {answer.value:g} by {answer.criterion!r}; expected {scale.low} to {scale.high}"


def _has_output(connection: Connection, answer: Gold) -> bool:
    query = select(Output.id).where(Output.id == answer.output, Output.instruction == answer.instruction)
    return connection.scalar(query) is not None


def gold_of(store: Store, instruction: int) -> tuple[Gold, ...]:
    """The known answers of an instruction that hold: of several to one question the last."""
    columns = [getattr(GoldAnswer, name) for name in Gold.model_fields]
    query = select(*columns).where(GoldAnswer.instruction == instruction, _is_newest()).order_by(GoldAnswer.id)
    with store.read() as connection:
        return tuple(Gold.model_validate(dict(row)) for row in connection.execute(query).mappings())


def is_gold(instruction: Any) -> Any:
    """Whether an instruction has a known answer."""
    return exists().where(GoldAnswer.instruction == instruction)


def gold_due(connection: Connection, info: ProjectInfo, round: int, person: int, num_given: int) -> int | None:
    """The gold item that this person's next place in the round falls to; None where it falls to an ordinary one.

    What people can know of themselves (who they are, how much they had) does
    not tell them: the store's origin is drawn into it.
    """
    store = origin_in(connection)
    if unit_interval("gold", store, round, person, num_given) >= info.settings.gold_share:
        return None
    met = exists().where(
        Assignment.round == round,
        Assignment.person == person,
        Assignment.instruction == Instruction.id,
        IS_KEPT,
    )
    query = (
        select(GoldAnswer.instruction)
        .distinct()
        .join(Instruction, Instruction.id == GoldAnswer.instruction)
        .where(Instruction.project == info.id, ~met, instruction_in_use(Instruction.id))
    )
    found = connection.scalars(query).all()
    return min(
        found, key=lambda instruction: unit_interval("gold order", store, round, person, instruction), default=None
    )


def gold_scores(store: Store, project: int, *, confidence: float = 0.95) -> tuple[GoldScore, ...]:
    """How everybody who met gold items did on them, over all rounds; what was skipped does not count."""
    with store.read() as connection:
        rows = connection.execute(_hits_query(project)).all()
    return tuple(_score(row.person, row.name, int(row.hits or 0), row.n, confidence) for row in rows)


def _score(person: int, name: str, hits: int, n: int, confidence: float) -> GoldScore:
    low, high = wilson(hits, n, confidence)
    share = hits / n if n else None
    return GoldScore(person=person, name=name, hits=hits, n=n, share=share, low=low, high=high)


def _hits_query(project: int) -> Any:
    """Person, hits and number of known answers, over the last save of everything done."""
    later = Submission.__table__.alias("later")
    last = ~exists().where(later.c.assignment == Submission.assignment, later.c.revision > Submission.revision)
    hit = exists().where(Annotation.submission == Submission.id, _is_right())
    return (
        select(
            Person.id.label("person"),
            Person.name,
            func.count().label("n"),
            func.sum(case((hit, 1), else_=0)).label("hits"),
        )
        .select_from(GoldAnswer)
        .join(Instruction, Instruction.id == GoldAnswer.instruction)
        .join(Assignment, Assignment.instruction == GoldAnswer.instruction)
        .join(Submission, Submission.assignment == Assignment.id)
        .join(Person, Person.id == Assignment.person)
        .where(Instruction.project == project, Assignment.is_gold, Assignment.state == State.DONE, last, _is_newest())
        .group_by(Person.id, Person.name)
        .order_by(Person.id)
    )


def _is_right() -> Any:
    label = and_(Annotation.kind == Kind.LABEL, Annotation.text == GoldAnswer.label)
    near = func.abs(Annotation.value - GoldAnswer.value) <= GoldAnswer.tolerance
    same = and_(Annotation.output == GoldAnswer.output, Annotation.criterion == GoldAnswer.criterion)
    return or_(label, and_(Annotation.kind == Kind.RATING, same, near))


def _is_newest() -> Any:
    """Of several known answers to one question the last one holds."""
    other = GoldAnswer.__table__.alias("newer")
    same_output = or_(other.c.output == GoldAnswer.output, and_(other.c.output.is_(None), GoldAnswer.output.is_(None)))
    same = (other.c.instruction == GoldAnswer.instruction, other.c.criterion == GoldAnswer.criterion, same_output)
    return ~exists().where(*same, other.c.id > GoldAnswer.id)
