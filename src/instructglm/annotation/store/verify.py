"""Going through the log, link by link."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, select

from instructglm.annotation.store.chain import START, Head, as_values, event_hash, rows_hash
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import LOGGED, Event, Logged
from instructglm.core.records import Record

_AT_ONCE = 1_000  # rows of a table in memory


class BrokenLink(Record):
    """The first event that does not fit, and what does not."""

    event: int
    found: str


class Verification(Record):
    """What going through the log found; `broken` is None where every link holds."""

    num_events: int
    num_rows: int
    head: str
    broken: BrokenLink | None


class _Rows:
    """The rows of all tables, by the events that made them."""

    def __init__(self, connection: Connection) -> None:
        tables = (_rows_of(connection, place, table) for place, table in enumerate(LOGGED))
        self._groups = groupby(heapq.merge(*tables, key=lambda row: row[:3]), key=lambda row: row[0])
        self._next = next(self._groups, None)
        self.num_rows = 0

    def of(self, number: int) -> list[tuple[type[Logged], dict[str, Any]]]:
        """The rows of an event; asked for in rising order."""
        if self._next is None or self._next[0] != number:
            return []
        rows = [(LOGGED[place], values) for _, place, _, values in self._next[1]]
        self._next = next(self._groups, None)
        self.num_rows += len(rows)
        return rows

    @property
    def first_left(self) -> int | None:
        """The event of the first row that was not asked for."""
        return None if self._next is None else int(self._next[0])


def _rows_of(connection: Connection, place: int, table: type[Logged]) -> Iterator[tuple[int, int, int, dict[str, Any]]]:
    query = select(*table.__table__.columns).order_by(table.event, table.id)  # type: ignore[attr-defined]
    for row in connection.execution_options(yield_per=_AT_ONCE).execute(query).mappings():
        values = as_values(row)
        yield values["event"], place, values["id"], values


def verify(store: Store, kept: Head | None = None) -> Verification:
    """Compute every hash anew, of events and of the rows of content (`LOGGED`), and name the first that does not fit.

    What changes in place is not looked at: people, settings, rounds, assignments.

    `kept` is a head that was noted down elsewhere: without it, events cut off
    at the end cannot be missed.
    """
    with store.read() as connection:
        rows, last, broken = _Rows(connection), Head(0, START, 0), None
        query = select(*Event.__table__.columns).order_by(Event.number)
        for row in connection.execution_options(yield_per=_AT_ONCE).execute(query).mappings():
            event = as_values(row)
            found = _fault(event, last, rows, kept)
            if found:
                broken = BrokenLink(event=event["number"], found=found)
                break
            last = Head(event["number"], event["hash"], event["at_ms"])
        broken = broken or _fault_at_end(last, rows, kept)
        return Verification(num_events=last.number, num_rows=rows.num_rows, head=last.hash, broken=broken)


def _fault(event: dict[str, Any], last: Head, rows: _Rows, kept: Head | None) -> str | None:
    number = event["number"]
    if number != last.number + 1:
        return f"events {last.number + 1} to {number - 1} are missing"
    if event["previous"] != last.hash:
        return "it does not follow the event before it"
    if event["hash"] != event_hash(event):
        return "the event itself was changed"
    if event["rows"] != rows_hash(rows.of(number)):
        return "what it stored was changed, or rows were put in or taken out"
    if kept is not None and kept.number == number and kept.hash != event["hash"]:
        return "it is not the one that was noted down"
    return None


def _fault_at_end(last: Head, rows: _Rows, kept: Head | None) -> BrokenLink | None:
    if kept is not None and kept.number > last.number:
        return BrokenLink(event=last.number + 1, found=f"events up to {kept.number} were noted down and are missing")
    if rows.first_left is not None:
        return BrokenLink(event=rows.first_left, found="there are rows of an event that is not in the log")
    return None
