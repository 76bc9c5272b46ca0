"""Reading the log itself: what happened, newest first."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import Event, Person, Project
from instructglm.core.records import Record


class EventInfo(Record):
    """An event with the names of who made it and of whom or what it is about, as they are called now.

    `person` None: it came from the command line or Python. `about` is the person whom the body names.
    """

    number: int
    at_ms: int
    kind: str
    person: str | None
    project: str | None
    about: str | None
    body: dict[str, Any]
    hash: str


def newest_events(store: Store, *, before: int | None = None, limit: int = 50) -> tuple[EventInfo, ...]:
    """At most `limit` events, the newest first; of those with a number below `before`, where it is given."""
    columns = (Event.number, Event.at_ms, Event.kind, Event.body, Event.hash)
    query = (
        select(*columns, Person.name.label("person"), Project.name.label("project"))
        .outerjoin(Person, Person.id == Event.person)
        .outerjoin(Project, Project.id == Event.project)
        .order_by(Event.number.desc())
        .limit(limit)
    )
    with store.read() as connection:
        rows = connection.execute(query if before is None else query.where(Event.number < before)).mappings().all()
        named = {row["body"]["person"] for row in rows if isinstance(row["body"].get("person"), int)}
        people = select(Person.id, Person.name).where(Person.id.in_(named))
        names = {row.id: row.name for row in connection.execute(people)}
    return tuple(EventInfo(**row, about=names.get(row["body"].get("person"))) for row in rows)
