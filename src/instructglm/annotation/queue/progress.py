"""How far a project has come, by round and by person."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, func, literal_column, select

from instructglm.annotation.queue.leases import is_silent
from instructglm.annotation.queue.tasks import instruction_in_use
from instructglm.annotation.store.projects import read_project
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import IS_LEASED, Assignment, Draft, Item, Person, Round, State, Submission
from instructglm.core.records import Record


class RoundProgress(Record):
    """Of a round's `num_places` (items times annotators), how many are done, in hands, and waiting.

    A place whose lease has ended waits again; of items that were withdrawn,
    nothing does.
    """

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


class Glance(Record):
    """A project at a glance: its open round, None: there is none; and how many items of it one person did."""

    round: RoundProgress | None
    num_mine: int


def glance(store: Store, project: int, person: int) -> Glance:
    """The open round, and what this person did in it: told without reading what others did."""
    with store.read() as connection:
        opened = connection.execute(_rounds(project).where(Round.is_open)).first()
        if opened is None:
            return Glance(round=None, num_mine=0)
        mine = select(func.count()).where(
            Assignment.round == opened.id, Assignment.person == person, Assignment.state == State.DONE
        )
        progress = _round(connection, opened, _is_silent(store, connection, project))
        return Glance(round=progress, num_mine=connection.scalar(mine) or 0)


def round_progress(store: Store, project: int) -> tuple[RoundProgress, ...]:
    """All rounds of a project, in their order."""
    with store.read() as connection:
        silent = _is_silent(store, connection, project)
        return tuple(_round(connection, row, silent) for row in connection.execute(_rounds(project)).all())


def _rounds(project: int) -> Select[*tuple[Any, ...]]:
    return select(Round.id, Round.number, Round.is_open).where(Round.project == project).order_by(Round.number)


def _is_silent(store: Store, connection: Connection, project: int) -> ColumnElement[bool]:
    return is_silent(store.now_ms(connection), read_project(connection, project).settings.lease_ms)


def _round(connection: Connection, round: Any, silent: ColumnElement[bool]) -> RoundProgress:
    in_use = instruction_in_use(Item.instruction)
    free = func.sum(case((in_use, Item.needed - Item.taken), else_=0))
    sums = select(func.count(), free, func.sum(Item.taken)).where(Item.round == round.id)
    num_items, num_free, num_taken = (int(number or 0) for number in connection.execute(sums).one())
    leased = select(func.count()).where(Assignment.round == round.id, IS_LEASED, ~Assignment.is_gold)
    num_leased = connection.scalar(leased.where(~silent)) or 0
    num_ended = connection.scalar(leased.where(silent)) or 0
    num_free += connection.scalar(leased.where(silent, instruction_in_use(Assignment.instruction))) or 0
    num_done = num_taken - num_leased - num_ended
    return RoundProgress(
        round=round.number,
        is_open=round.is_open,
        num_items=num_items,
        num_places=num_done + num_leased + num_free,
        num_done=num_done,
        num_leased=num_leased,
        num_waiting=num_free,
    )


def people_progress(store: Store, project: int) -> tuple[PersonProgress, ...]:
    """Everybody who was given an item, by round and person."""
    with store.read() as connection:
        counts: dict[tuple[int, int, str], dict[str, int]] = {}
        for row in connection.execute(_states_query(project, _is_silent(store, connection, project))):
            counts.setdefault((row.number, row.id, row.name), {})[row.standing] = row.n
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


def _states_query(project: int, silent: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """How many assignments of each state a person has in a round; a lease that has ended counts as returned."""
    state = case((IS_LEASED & silent, literal_column("'returned'")), else_=Assignment.state).label("standing")
    group = (Round.number, Person.id, Person.name, state)
    return (
        select(*group, func.count().label("n"))
        .join(Round, Round.id == Assignment.round)
        .join(Person, Person.id == Assignment.person)
        .where(Round.project == project)
        .group_by(Round.number, Person.id, Person.name, "standing")
        .order_by(Round.number, Person.id)
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
