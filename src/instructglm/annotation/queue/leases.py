"""Leases: an item is held by whoever gives signs of life, and falls free when they go away."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, Row, Select, bindparam, func, or_, select, update

from instructglm.annotation.queue.places import move
from instructglm.annotation.store.chain import Change, record
from instructglm.annotation.store.people import read_person, see_admin_stays
from instructglm.annotation.store.store import Store, Write
from instructglm.annotation.store.tables import IS_LEASED, Assignment, Person, Round, State
from instructglm.annotation.store.tables.base import BIG
from instructglm.core.errors import DataError


def read_assignment(connection: Connection, person: int, assignment: int) -> Row[*tuple[Any, ...]]:
    """An assignment of a person, with its round's `number`, `project`, `blind` and `is_open`.

    Raises:
        DataError: the person has no such assignment.
    """
    found = connection.execute(_of_person(), {"assignment": assignment, "person": person}).first()
    if found is None:
        raise DataError(f"assignment {assignment} is not one of this person's", hint="Ask for the next item.")
    return found


@cache
def _of_person() -> Select[*tuple[Any, ...]]:
    return (
        select(*Assignment.__table__.columns, Round.number, Round.project, Round.blind, Round.is_open)
        .join(Round, Round.id == Assignment.round)
        .where(Assignment.id == bindparam("assignment"), Assignment.person == bindparam("person"))
    )


def renew(write: Write, assignment: int) -> None:
    """A sign of life: the lease begins anew."""
    write.connection.execute(update(Assignment).where(Assignment.id == assignment).values(renewed_ms=write.now_ms))


def keep_hold(store: Store, person: int, assignment: int) -> bool:
    """A sign of life from somebody who works on an item; False once it is no longer in their hands.

    Raises:
        DataError: the person has no such assignment.
    """
    with store.write() as write:
        held = read_assignment(write.connection, person, assignment)
        if held.state == State.LEASED:
            renew(write, assignment)
        return bool(held.state == State.LEASED)


@cache
def _expired() -> Select[*tuple[Any, ...]]:
    silent = is_silent(bindparam("now_ms", type_=BIG), bindparam("lease_ms", type_=BIG))
    return select(*Assignment.__table__.columns).where(Assignment.round == bindparam("round"), IS_LEASED, silent)


def is_silent(now_ms: int | BindParameter[int], lease_ms: int | BindParameter[int]) -> ColumnElement[bool]:
    """Whether an assignment got no sign of life for so long: its lease has ended, given back or not.

    A sign of life that lies as far in the future counts as old too: the clock
    went back, and must not hold items for ever.
    """
    return or_(Assignment.renewed_ms <= now_ms - lease_ms, Assignment.renewed_ms >= now_ms + lease_ms)


def return_expired(write: Write, round: int, lease_ms: int) -> int:
    """Give back all leases of a round that got no sign of life for so long, and tell how many."""
    known = {"round": round, "now_ms": write.now_ms, "lease_ms": lease_ms}
    expired = write.connection.execute(_expired(), known).all()
    for held in expired:
        move(write, held, State.RETURNED)
    return len(expired)


def give_back(store: Store, person: int, assignment: int) -> None:
    """Give an item back unanswered. What was typed stays as a draft.

    Raises:
        DataError: the person has no such assignment.
    """
    with store.write() as write:
        held = read_assignment(write.connection, person, assignment)
        if held.state == State.LEASED:
            move(write, held, State.RETURNED)


def remove_person(store: Store, person: int, *, by: int | None = None) -> None:
    """Let somebody in no more: their leases are given back, their work stays.

    Raises:
        DataError: there is nobody of this id, or they are the last admin and somebody (`by`) asks from the pages.
    """
    with store.write() as write:
        read_person(write.connection, person)
        if by is not None:
            see_admin_stays(write.connection, person)
        query = select(*Assignment.__table__.columns).where(Assignment.person == person, IS_LEASED)
        held = write.connection.execute(query).all()
        for lease in held:
            move(write, lease, State.RETURNED)
        write.connection.execute(update(Person).where(Person.id == person).values(removed_ms=write.now_ms))
        record(write, Change("person removed", None, by, {"person": person, "leases returned": len(held)}))


def leases_held(store: Store) -> dict[int, int]:
    """How many items each person holds now, in all projects, by the person's id; who holds none is left out."""
    query = select(Assignment.person, func.count().label("n")).where(IS_LEASED).group_by(Assignment.person)
    with store.read() as connection:
        return {row.person: row.n for row in connection.execute(query)}
