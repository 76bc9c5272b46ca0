"""The log: every change is an event that holds the hash of the one before.

What an event made are rows that carry its number, and it holds their hash. So
neither a row nor an event can be changed, put in or taken out behind the log's
back without a link that no longer fits (`verify.py`). To know that nothing was
cut off at the end, keep a `Head` elsewhere.

The log vouches for the tables in `LOGGED`. It tells of people's roles, of
settings and of rounds in the bodies of events, but what stands in their own
tables, and which assignment is gold, is not compared with it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Insert, RowMapping, Select, insert, select

from instructglm.annotation.store.store import Store, Write
from instructglm.annotation.store.tables import LOGGED, Event, Logged
from instructglm.core.errors import DataError
from instructglm.core.ids import canonical_json

START = "0" * 64  # what the first event follows
Values = Mapping[str, Any]
_AT_ONCE = 5_000  # rows a statement: bounds the memory of an import


class Head(NamedTuple):
    """The end of the log: the state of the store, in a number and a hash."""

    number: int
    hash: str
    at_ms: int

    def spelled(self) -> str:
        """As it is shown and noted down."""
        return f"{self.number}:{self.hash}"


def read_head(text: str) -> Head:
    """A head as it was noted down; when its event happened is not told by it.

    Raises:
        DataError: it is none.
    """
    if (match := re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", text.strip())) is None:
        raise DataError(f"found {text!r}; expected NUMBER:HASH", hint="`annotate status` prints it.")
    return Head(int(match[1]), match[2], 0)


@dataclass
class Change:
    """What one event makes. `rows` are whole but for the event's number, and have their ids."""

    kind: str
    project: int | None = None
    person: int | None = None
    body: Mapping[str, Any] = field(default_factory=dict)
    rows: dict[type[Logged], list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: type[Logged], **values: Any) -> None:
        self.rows.setdefault(table, []).append(values)


def head(connection: Connection) -> Head:
    """The last event; number 0 of an empty log."""
    last = connection.execute(_last_event()).first()
    return Head(*last) if last else Head(0, START, 0)


@cache
def _last_event() -> Select[int, str, int]:
    return select(Event.number, Event.hash, Event.at_ms).order_by(Event.number.desc()).limit(1)


def origin(store: Store) -> str:
    """What tells this store from every other: the hash of its first event; "" before there is one."""
    with store.read() as connection:
        return origin_in(connection)


def origin_in(connection: Connection) -> str:
    """The same, within a transaction."""
    return connection.scalar(select(Event.hash).where(Event.number == 1)) or ""


def record(write: Write, change: Change) -> Head:
    """Add an event and its rows to the log; they are stored when the transaction ends well.

    The time is told, not trusted: it never goes back, whatever the clock does.
    """
    last = head(write.connection)
    event: dict[str, Any] = {
        "number": last.number + 1,
        "at_ms": max(write.now_ms, last.at_ms),
        "kind": change.kind,
        "project": change.project,
        "person": change.person,
        "body": dict(change.body),
        "rows": rows_hash((table, values) for table in LOGGED for values in change.rows.get(table, ())),
        "previous": last.hash,
    }
    event["hash"] = event_hash(event)
    write.connection.execute(_insertion(Event), event)
    for table in LOGGED:
        if table in change.rows:
            _insert(write.connection, table, change.rows[table], event["number"])
    return Head(event["number"], event["hash"], event["at_ms"])


def _insert(connection: Connection, table: type[Logged], rows: Sequence[Values], number: int) -> None:
    empty = dict.fromkeys(table.__table__.columns.keys())  # type: ignore[attr-defined]
    for start in range(0, len(rows), _AT_ONCE):
        block = [{**empty, **values, "event": number} for values in rows[start : start + _AT_ONCE]]
        connection.execute(_insertion(table), block)  # type: ignore[arg-type]  # a class can be hashed


@cache
def _insertion(table: type[Any]) -> Insert:
    return insert(table)


def event_hash(event: Values) -> str:
    """SHA-256 of all that an event holds but its own hash."""
    held = {name: value for name, value in event.items() if name != "hash"}
    return hashlib.sha256(canonical_json(held).encode()).hexdigest()


def rows_hash(rows: Iterable[tuple[type[Logged], Values]]) -> str:
    """SHA-256 of rows in their order. Empty columns and the event's number do not count.

    So a column that a later version adds leaves old hashes as they are. Nor does
    the sign of a zero, which SQLite does not keep.
    """
    digest = hashlib.sha256()
    for table, values in rows:
        held = {
            name: value + 0.0 if isinstance(value, float) else value
            for name, value in values.items()
            if value is not None and name != "event"
        }
        digest.update(canonical_json([table.__tablename__, held]).encode())  # type: ignore[attr-defined]
    return digest.hexdigest()


def as_values(row: RowMapping) -> dict[str, Any]:
    """A row as `record` was given it."""
    return {str(name): value for name, value in row.items()}
