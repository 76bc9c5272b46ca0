"""The next item for a person.

A round's queue has one order, in which domains are mixed evenly. Everybody
walks it from its start, taking the first item that still needs somebody, so
items are finished one after the other and people share them evenly. A cursor
remembers how far one has come: the answer takes as long with a hundred thousand
items as with ten.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, Insert, Row, Select, Update, bindparam, func, insert, select, update

from instructglm.annotation.queue.gold import gold_due
from instructglm.annotation.queue.leases import read_assignment, renew, return_expired
from instructglm.annotation.queue.places import take
from instructglm.annotation.queue.tasks import Task, build_task, instruction_in_use, outputs_to_show
from instructglm.annotation.store.people import read_person
from instructglm.annotation.store.projects import ProjectInfo, read_project
from instructglm.annotation.store.store import Store, Write
from instructglm.annotation.store.tables import IS_KEPT, IS_LEASED, Assignment, Cursor, Item, Round, State, Submission
from instructglm.core.errors import DataError
from instructglm.core.records import Record


class Idle(Record):
    """There is nothing to give now.

    `again_ms` is when to ask again, where that is known: items were annotated
    by the same person too short a while ago. "the rest is for others": the
    items that wait are ones that this person had.
    """

    reason: Literal[
        "no round is open", "everything is done", "others hold the rest", "the rest is for others", "too fresh"
    ]
    again_ms: int | None = None


class _Walker(NamedTuple):
    round: Row[*tuple[Any, ...]]
    person: int
    position: int
    num_given: int
    again_ms: int | None


def next_task(store: Store, project: int, person: int) -> Task | Idle:
    """Lease a person the next item of the project's open round; the one in their hands, where they have one.

    Raises:
        DataError: there is no such project, or the person was removed.
    """
    with store.write() as write:
        info = read_project(write.connection, project)
        if read_person(write.connection, person).is_removed:
            raise DataError("this person was removed", hint="An admin can add or invite them again.")
        round = open_round_of(write.connection, project)
        if round is None:
            return Idle(reason="no round is open")
        assignment = _in_hand(write, round.id, person) or _give(write, info, round, person)
        if isinstance(assignment, Idle):
            return assignment
        return build_task(write.connection, read_assignment(write.connection, person, assignment))


def open_round_of(connection: Connection, project: int) -> Row[*tuple[Any, ...]] | None:
    """The row of the project's open round."""
    return connection.execute(_open_round(), {"project": project}).first()


@cache
def _open_round() -> Select[*tuple[Any, ...]]:
    return select(*Round.__table__.columns).where(Round.project == bindparam("project"), Round.is_open)


def _in_hand(write: Write, round: int, person: int) -> int | None:
    assignment: int | None = write.connection.scalar(_leased(), {"round": round, "person": person})
    if assignment is not None:
        renew(write, assignment)
    return assignment


@cache
def _leased() -> Select[int]:
    theirs = (Assignment.round == bindparam("round"), Assignment.person == bindparam("person"))
    return select(Assignment.id).where(*theirs, IS_LEASED)


def _give(write: Write, info: ProjectInfo, round: Row[*tuple[Any, ...]], person: int) -> int | Idle:
    return_expired(write, round.id, info.settings.lease_ms)
    walker = _walker(write, round, person)
    gold = gold_due(write.connection, info, round.id, person, walker.num_given)
    if gold is not None:
        return _lease(write, walker, gold, is_gold=True)
    found = _first_waiting(write, walker)
    if found is None:
        return _idle(write, walker)
    taken = take(write, round.id, found.instruction)
    assert taken, "the one writer saw a free place that is not there"
    return _lease(write, walker._replace(position=found.position), found.instruction, is_gold=False)


def _walker(write: Write, round: Row[*tuple[Any, ...]], person: int) -> _Walker:
    """How far the person has come; back at the start once what was too fresh no longer is."""
    row = write.connection.execute(_cursor(), {"round": round.id, "person": person}).first()
    if row is None:
        values = {"round": round.id, "person": person, "position": 0, "num_given": 0}
        write.connection.execute(insert(Cursor), values)
        return _Walker(round, person, 0, 0, _again_ms(write, round, person))
    if row.again_ms is not None and write.now_ms < row.again_ms:
        return _Walker(round, person, *row)
    position = row.position if row.again_ms is None else 0
    return _Walker(round, person, position, row.num_given, _again_ms(write, round, person))


@cache
def _cursor() -> Select[int, int, int | None]:
    theirs = (Cursor.round == bindparam("round"), Cursor.person == bindparam("person"))
    return select(Cursor.position, Cursor.num_given, Cursor.again_ms).where(*theirs)


def _again_ms(write: Write, round: Row[*tuple[Any, ...]], person: int) -> int | None:
    """When all that the person did in other rounds of the project will be old enough; None where it is."""
    if not round.delay_ms:
        return None
    query = (
        select(func.max(Submission.at_ms))
        .join(Round, Round.id == Submission.round)
        .where(Submission.person == person, Submission.at_ms > write.now_ms - round.delay_ms)
        .where(Submission.round != round.id, Round.project == round.project)
    )
    latest = write.connection.scalar(query)
    return None if latest is None else latest + round.delay_ms


def _first_waiting(write: Write, walker: _Walker) -> Row[int, int] | None:
    query = _next_waiting()
    if walker.again_ms is not None:
        query = query.where(~_is_fresh(walker, write.now_ms))
    known = {"round": walker.round.id, "person": walker.person, "position": walker.position}
    found = write.connection.execute(query, known).first()
    if found is None:
        _keep(write, walker)
    return found


@cache
def _next_waiting() -> Select[int, int]:
    """The first item behind a `position` that still needs somebody, and that the person had not."""
    return _waiting().where(Item.position > bindparam("position"), ~_had()).order_by(Item.position).limit(1)


def _waiting() -> Select[int, int]:
    """The items of a `round` that still need somebody."""
    query = select(Item.instruction, Item.position).where(Item.round == bindparam("round"))
    return query.where(Item.taken < Item.needed, instruction_in_use(Item.instruction))


def _had() -> ColumnElement[bool]:
    """Whether the `person` has or had the item in this round; one that was returned may come again."""
    same = (Assignment.round == Item.round, Assignment.instruction == Item.instruction)
    theirs = (Assignment.person == bindparam("person"), IS_KEPT)
    return select(Assignment.id).where(*same, *theirs).exists()


def _is_fresh(walker: _Walker, now_ms: int) -> ColumnElement[bool]:
    since = Submission.at_ms > now_ms - walker.round.delay_ms
    theirs = (Submission.person == walker.person, Submission.instruction == Item.instruction)
    return select(Submission.id).where(*theirs, since, Submission.round != walker.round.id).exists()


def _lease(write: Write, walker: _Walker, instruction: int, *, is_gold: bool) -> int:
    values = {
        "id": write.next_id(Assignment.id),
        "round": walker.round.id,
        "instruction": instruction,
        "person": walker.person,
        "state": str(State.LEASED),
        "is_gold": is_gold,
        "shown": outputs_to_show(write.connection, walker.round, instruction, walker.person),
        "given_ms": write.now_ms,
        "renewed_ms": write.now_ms,
    }
    write.connection.execute(_new_assignment(), values)
    _keep(write, walker._replace(num_given=walker.num_given + 1))
    return int(values["id"])


@cache
def _new_assignment() -> Insert:
    return insert(Assignment)


def _keep(write: Write, walker: _Walker) -> None:
    kept = {"position": walker.position, "num_given": walker.num_given, "again_ms": walker.again_ms}
    write.connection.execute(_kept(), {"of_round": walker.round.id, "of_person": walker.person, **kept})


@cache
def _kept() -> Update:
    return update(Cursor).where(Cursor.round == bindparam("of_round"), Cursor.person == bindparam("of_person"))


def _idle(write: Write, walker: _Walker) -> Idle:
    def is_any(query: Select[*tuple[Any, ...]]) -> bool:
        known = {"round": walker.round.id, "person": walker.person}
        return write.connection.execute(query.limit(1), known).first() is not None

    waiting = _waiting()
    fresh = waiting.where(~_had(), _is_fresh(walker, write.now_ms))
    if walker.again_ms is not None and is_any(fresh):
        return Idle(reason="too fresh", again_ms=walker.again_ms)
    if is_any(select(Assignment.id).where(Assignment.round == walker.round.id, IS_LEASED, ~Assignment.is_gold)):
        return Idle(reason="others hold the rest")
    return Idle(reason="the rest is for others" if is_any(waiting) else "everything is done")
