from __future__ import annotations

from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from instructglm.annotation.store.tables.base import BIG, Base, Exact, ExactJson, Id, Milliseconds


class Event(Base):
    """One link of the log. Its number is its place; the time is only told, and never goes back.

    `rows` is the hash of the rows that the event made, `hash` that of the event
    with all of this and the `previous` event's hash.
    """

    __tablename__ = "events"
    __table_args__ = (Index(None, "project", "number"),)

    number: Mapped[Id]
    at_ms: Mapped[Milliseconds]
    kind: Mapped[Exact]
    project: Mapped[int | None] = mapped_column(BIG)
    person: Mapped[int | None] = mapped_column(BIG)
    body: Mapped[Any] = mapped_column(ExactJson)
    rows: Mapped[Exact]
    previous: Mapped[Exact]
    hash: Mapped[Exact]
