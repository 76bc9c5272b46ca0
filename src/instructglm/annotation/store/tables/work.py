from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, UniqueConstraint, literal_column, text
from sqlalchemy.orm import Mapped, mapped_column

from instructglm.annotation.store.tables.base import BIG, Base, ExactJson, Id, Milliseconds, Number


class Round(Base):
    """One passage through items. At most one round of a project is open.

    In a `blind` round nobody sees what people wrote before, and one may meet
    one's own items again once `delay_ms` have gone by. Its items need
    `annotators` each, or what the settings say; `seen_event` is the last event
    of the log before it was opened.
    """

    __tablename__ = "rounds"
    __table_args__ = (
        UniqueConstraint("project", "number"),
        Index("uq_rounds_open", "project", unique=True, sqlite_where=text("is_open"), postgresql_where=text("is_open")),
    )

    id: Mapped[Id]
    project: Mapped[int] = mapped_column(BIG, ForeignKey("projects.id"))
    number: Mapped[Number]
    blind: Mapped[bool] = mapped_column(Boolean)
    delay_ms: Mapped[Number]
    annotators: Mapped[int | None] = mapped_column(BIG)
    seen_event: Mapped[Number]
    is_open: Mapped[bool] = mapped_column(Boolean)


class Item(Base):
    """An instruction in a round's queue: of `needed` places, `taken` are leased or done.

    People walk the queue by `position`; an item that falls free again goes to its end.
    """

    __tablename__ = "items"
    __table_args__ = (
        UniqueConstraint("round", "position"),
        CheckConstraint("taken >= 0 AND taken <= needed", name="no_more_than_needed"),
        Index(
            "ix_items_waiting",
            "round",
            "position",
            sqlite_where=text("taken < needed"),
            postgresql_where=text("taken < needed"),
        ),
    )

    round: Mapped[int] = mapped_column(BIG, ForeignKey("rounds.id"), primary_key=True, autoincrement=False)
    instruction: Mapped[int] = mapped_column(BIG, ForeignKey("instructions.id"), primary_key=True, autoincrement=False)
    position: Mapped[Number]
    needed: Mapped[Number]
    taken: Mapped[Number]


class State(StrEnum):
    """Of an assignment. The first two hold a place of their item."""

    LEASED = "leased"
    DONE = "done"
    SKIPPED = "skipped"
    RETURNED = "returned"


_KEPT = text("state <> 'returned'")
_LEASED = text("state = 'leased'")


class Assignment(Base):
    """An item in one person's hands. `shown` are the outputs in the order in which that person sees them."""

    __tablename__ = "assignments"
    __table_args__ = (
        Index(
            "uq_assignments_once",
            "round",
            "person",
            "instruction",
            unique=True,
            sqlite_where=_KEPT,
            postgresql_where=_KEPT,
        ),
        Index("uq_assignments_lease", "round", "person", unique=True, sqlite_where=_LEASED, postgresql_where=_LEASED),
        Index(None, "instruction"),
        Index(None, "person"),
    )

    id: Mapped[Id]
    round: Mapped[int] = mapped_column(BIG, ForeignKey("rounds.id"))
    instruction: Mapped[int] = mapped_column(BIG, ForeignKey("instructions.id"))
    person: Mapped[int] = mapped_column(BIG, ForeignKey("people.id"))
    state: Mapped[str]
    is_gold: Mapped[bool] = mapped_column(Boolean)
    shown: Mapped[Any] = mapped_column(ExactJson)
    given_ms: Mapped[Milliseconds]
    renewed_ms: Mapped[Milliseconds]


# Spelled out, not as a parameter: only so do databases see that an index of a part of the rows will do.
IS_LEASED = Assignment.state == literal_column("'leased'")
IS_KEPT = Assignment.state != literal_column("'returned'")


class Cursor(Base):
    """How far a person has walked a round's queue, and when items passed for being too fresh may be met again."""

    __tablename__ = "cursors"

    round: Mapped[int] = mapped_column(BIG, ForeignKey("rounds.id"), primary_key=True, autoincrement=False)
    person: Mapped[int] = mapped_column(BIG, ForeignKey("people.id"), primary_key=True, autoincrement=False)
    position: Mapped[Number]
    num_given: Mapped[Number]
    again_ms: Mapped[int | None] = mapped_column(BIG)


class Draft(Base):
    """What a person has typed and not yet saved, over which revision of their answer."""

    __tablename__ = "drafts"

    round: Mapped[int] = mapped_column(BIG, ForeignKey("rounds.id"), primary_key=True, autoincrement=False)
    person: Mapped[int] = mapped_column(BIG, ForeignKey("people.id"), primary_key=True, autoincrement=False)
    instruction: Mapped[int] = mapped_column(BIG, ForeignKey("instructions.id"), primary_key=True, autoincrement=False)
    body: Mapped[Any] = mapped_column(ExactJson)
    version: Mapped[Number]
    based_on: Mapped[Number]
    saved_ms: Mapped[Milliseconds]


class Unsaved(Base):
    """An answer that was sent and could not be saved: based on an older revision, or no longer the person's to give."""

    __tablename__ = "unsaved"
    __table_args__ = (Index(None, "round", "person", "instruction"),)

    id: Mapped[Id]
    round: Mapped[int] = mapped_column(BIG, ForeignKey("rounds.id"))
    person: Mapped[int] = mapped_column(BIG, ForeignKey("people.id"))
    instruction: Mapped[int] = mapped_column(BIG, ForeignKey("instructions.id"))
    body: Mapped[Any] = mapped_column(ExactJson)
    based_on: Mapped[Number]
    sent_ms: Mapped[Milliseconds]
