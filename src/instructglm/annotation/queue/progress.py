"""How far a project has come, by round and by person."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import IS_LEASED, Assignment, Draft, Item, Person, Round, State, Submission
from instructglm.core.records import Record


class RoundProgress(Record):
    """Of a round's `num_places` (items times annotators), how many are done, in hands, and waiting."""

    round: int
    is_open: bool
    num_items: int
    num_places: int
    num_done: int
    num_leased: int
    num_waiting: int


class PersonProgress(Record):
    """What a person did in a round, gold items included. `median_s` is of their saves; None: there are none."""

    round: int
    person: int
    name: str
    num_done: int
    num_skipped: int
    num_leased: int
    num_drafts: int
    median_s: float | None


def round_progress(store: Store, project: int) -> tuple[RoundProgress, ...]:
    """All rounds of a project, in their order."""
    with store.read() as connection:
        rounds = select(Round.id, Round.number, Round.is_open).where(Round.project == project).order_by(Round.number)
        return tuple(_round(connection, row) for row in connection.execute(rounds).all())


def _round(connection: Connection, round: Any) -> RoundProgress:
    sums = select(func.count(), func.sum(Item.needed), func.sum(Item.taken)).where(Item.round == round.id)
    num_items, needed, taken = (int(number or 0) for number in connection.execute(sums).one())
    leased = select(func.count()).where(Assignment.round == round.id, IS_LEASED, ~Assignment.is_gold)
    num_leased = connection.scalar(leased) or 0
    return RoundProgress(
        round=round.number,
        is_open=round.is_open,
        num_items=num_items,
        num_places=needed,
        num_done=taken - num_leased,
        num_leased=num_leased,
        num_waiting=needed - taken,
    )


def people_progress(store: Store, project: int) -> tuple[PersonProgress, ...]:
    """Everybody who was given an item, by round and person."""
    states = (
        select(Round.number, Person.id, Person.name, Assignment.state, func.count().label("n"))
        .join(Round, Round.id == Assignment.round)
        .join(Person, Person.id == Assignment.person)
        .where(Round.project == project)
        .group_by(Round.number, Person.id, Person.name, Assignment.state)
        .order_by(Round.number, Person.id)
    )
    with store.read() as connection:
        counts: dict[tuple[int, int, str], dict[str, int]] = {}
        for row in connection.execute(states):
            counts.setdefault((row.number, row.id, row.name), {})[row.state] = row.n
        medians, drafts = _medians(connection, project), _drafts(connection, project)
    return tuple(
        PersonProgress(
            round=number,
            person=person,
            name=name,
            num_done=held.get(State.DONE, 0),
            num_skipped=held.get(State.SKIPPED, 0),
            num_leased=held.get(State.LEASED, 0),
            num_drafts=drafts.get((number, person), 0),
            median_s=medians.get((number, person)),
        )
        for (number, person, name), held in counts.items()
    )


def _medians(connection: Connection, project: int) -> dict[tuple[int, int], float]:
    """Median seconds of a save by round and person, from the middle one or two of each."""
    group = (Submission.round, Submission.person)
    place = func.row_number().over(partition_by=group, order_by=Submission.took_ms).label("place")
    number = func.count().over(partition_by=group).label("n")
    ordered = (
        select(Round.number, Submission.person, Submission.took_ms, place, number)
        .join(Round, Round.id == Submission.round)
        .where(Round.project == project)
        .subquery()
    )
    columns = ordered.c
    middle = (columns.place * 2 >= columns.n) & (columns.place * 2 <= columns.n + 2)
    query = select(columns.number, columns.person, func.avg(columns.took_ms)).where(middle)
    rows = connection.execute(query.group_by(columns.number, columns.person))
    return {(number, person): float(took_ms) / 1000 for number, person, took_ms in rows}


def _drafts(connection: Connection, project: int) -> dict[tuple[int, int], int]:
    query = (
        select(Round.number, Draft.person, func.count())
        .join(Round, Round.id == Draft.round)
        .where(Round.project == project)
        .group_by(Round.number, Draft.person)
    )
    return {(number, person): count for number, person, count in connection.execute(query)}
