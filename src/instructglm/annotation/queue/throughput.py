"""How fast people go, when they were last here, and when a round will end at that speed."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

from sqlalchemy import Connection, Select, func, select

from instructglm.annotation.queue.progress import RoundProgress, round_progress
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import Assignment, Round, Session, State, Submission
from instructglm.core.records import Record

_HOUR_MS = 3_600_000
_WINDOW_MS = 7 * 24 * _HOUR_MS
_FEWEST_DONE = 10  # in the window; with fewer, the forecast would be a guess
_DEVIATIONS = 1.96


class Forecast(Record):
    """When the open round ends if people go on as in the last `window_s` seconds, nights and pauses included.

    `num_done` places were done in that time and `num_left` are not. The range
    is what so many arrivals by chance vary by (Poisson, 95 %). Without `ends_ms`
    there is no forecast: fewer than 10 places were done in that time.
    """

    round: int
    num_left: int
    num_done: int
    window_s: float
    ends_ms: int | None = None
    earliest_ms: int | None = None
    latest_ms: int | None = None


def done_by_hour(store: Store, project: int, num_hours: int) -> dict[int, tuple[int, ...]]:
    """How many items everybody finished in each of the last hours, the latest at the end; gold items included.

    Who finished none is left out. An item counts when it was first answered.
    """
    with store.read() as connection:
        start = store.now_ms(connection) - num_hours * _HOUR_MS
        hour = ((Submission.at_ms - start) // _HOUR_MS).label("hour")
        query = _first_saves(Submission.person, hour, func.count()).where(
            Round.project == project, Submission.at_ms > start
        )
        rows = connection.execute(query.group_by(Submission.person, "hour")).all()
    found: dict[int, list[int]] = {}
    for person, place, number in rows:
        # A save of this very millisecond falls behind the last hour, one before the clock went back far behind it.
        found.setdefault(person, [0] * num_hours)[min(int(place), num_hours - 1)] += number
    return {person: tuple(counts) for person, counts in found.items()}


def _first_saves(*columns: Any) -> Select[*tuple[Any, ...]]:
    """The first answer to everything that is done."""
    return (
        select(*columns)
        .select_from(Submission)
        .join(Assignment, Assignment.id == Submission.assignment)
        .join(Round, Round.id == Submission.round)
        .where(Submission.revision == 1, Assignment.state == State.DONE)
    )


def last_seen(store: Store, project: int) -> Mapping[int, int]:
    """When everybody who was given an item last gave a sign of life: in it, or with any page. Milliseconds."""
    query = (
        select(Assignment.person, func.max(Assignment.renewed_ms))
        .join(Round, Round.id == Assignment.round)
        .where(Round.project == project)
        .group_by(Assignment.person)
    )
    sessions = select(Session.person, func.max(Session.seen_ms)).group_by(Session.person)
    with store.read() as connection:
        in_items = {person: int(at_ms) for person, at_ms in connection.execute(query)}
        in_pages = {person: int(at_ms) for person, at_ms in connection.execute(sessions)}
    return {person: max(at_ms, in_pages.get(person, 0)) for person, at_ms in in_items.items()}


def forecast(store: Store, project: int) -> Forecast | None:
    """When the open round ends; None where none is open."""
    current = next((one for one in round_progress(store, project) if one.is_open), None)
    if current is None:
        return None
    with store.read() as connection:
        now_ms = store.now_ms(connection)
        start, num_done = _recently(connection, project, current.round, now_ms)
    return _forecast(current, now_ms, start, num_done)


def _recently(connection: Connection, project: int, round: int, now_ms: int) -> tuple[int, int]:
    """Since when (a week ago, or the round's first answer), and how many of its places were done since."""
    query = _first_saves(func.min(Submission.at_ms), func.count()).where(
        Round.project == project,
        Round.number == round,
        ~Assignment.is_gold,
        Submission.at_ms > now_ms - _WINDOW_MS,
    )
    first, number = connection.execute(query).one()
    return (now_ms if first is None else int(first)), number


def _forecast(current: RoundProgress, now_ms: int, start_ms: int, num_done: int) -> Forecast:
    left, window_ms = current.num_places - current.num_done, max(0, now_ms - start_ms)
    known = {"round": current.round, "num_left": left, "num_done": num_done, "window_s": window_ms / 1000}
    if num_done < _FEWEST_DONE or not window_ms:
        return Forecast(**known)
    spread = _DEVIATIONS * sqrt(num_done)

    def ends(number: float) -> int:
        return now_ms + round(left * window_ms / number)

    return Forecast(
        **known,
        ends_ms=ends(num_done),
        earliest_ms=ends(num_done + spread),
        latest_ms=ends(num_done - spread),
    )
