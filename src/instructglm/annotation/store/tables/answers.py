from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from instructglm.annotation.store.tables.base import (
    BIG,
    Base,
    Exact,
    ExactJson,
    ExactText,
    Logged,
    Milliseconds,
    Number,
)


class Submission(Logged, Base):
    """One save: who, when, how long, under which guideline, in place of which revision.

    `key` is the client's name for this save: a repeated one is stored once.
    """

    __tablename__ = "submissions"
    __table_args__ = (
        UniqueConstraint("assignment", "revision"),
        UniqueConstraint("person", "key"),
        Index(None, "instruction", "person"),
        Index(None, "person", "at_ms"),
        Index(None, "round", "person"),
    )

    assignment: Mapped[int] = mapped_column(BIG, ForeignKey("assignments.id"))
    round: Mapped[int] = mapped_column(BIG, ForeignKey("rounds.id"))
    instruction: Mapped[int] = mapped_column(BIG, ForeignKey("instructions.id"))
    person: Mapped[int] = mapped_column(BIG, ForeignKey("people.id"))
    revision: Mapped[Number]
    key: Mapped[Exact]
    answer_hash: Mapped[Exact]
    guideline: Mapped[int | None] = mapped_column(BIG)
    shown: Mapped[Any] = mapped_column(ExactJson)
    took_ms: Mapped[Milliseconds]
    at_ms: Mapped[Milliseconds]


class Kind(StrEnum):
    """Of an annotation, with the columns it fills."""

    WRITE = "write"  # output: the one written
    EDIT = "edit"  # output: the new one, which knows what it was edited from
    RATING = "rating"  # output, criterion, value
    RANK = "rank"  # output, value: 1 is best, equal ranks are ties
    LABEL = "label"  # text: one of the choices
    REJECT = "reject"  # output (none: the instruction itself), text: why
    FLAG = "flag"  # text
    COMMENT = "comment"  # text
    SKIP = "skip"  # text: why


class Annotation(Logged, Base):
    """One judgement within a submission."""

    __tablename__ = "annotations"
    __table_args__ = (Index(None, "submission"),)

    submission: Mapped[int] = mapped_column(BIG, ForeignKey("submissions.id"))
    kind: Mapped[Exact]
    output: Mapped[int | None] = mapped_column(BIG, ForeignKey("outputs.id"))
    criterion: Mapped[Exact]
    value: Mapped[float | None]
    text: Mapped[str | None] = mapped_column(ExactText)


class Decision(Logged, Base):
    """A reviewer's last word on an item: `seen_event` is the state of the log it rests on."""

    __tablename__ = "decisions"
    __table_args__ = (UniqueConstraint("instruction", "revision"), UniqueConstraint("person", "key"))

    instruction: Mapped[int] = mapped_column(BIG, ForeignKey("instructions.id"))
    person: Mapped[int] = mapped_column(BIG, ForeignKey("people.id"))
    revision: Mapped[Number]
    key: Mapped[Exact]
    answer_hash: Mapped[Exact]
    accepted: Mapped[Any] = mapped_column(ExactJson)
    label: Mapped[str | None] = mapped_column(ExactText)
    reason: Mapped[Exact]
    seen_event: Mapped[Number]
    seen: Mapped[Any] = mapped_column(ExactJson)
    at_ms: Mapped[Milliseconds]
