from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from instructglm.annotation.store.tables.base import BIG, Base, Exact, ExactText, Id, Milliseconds


class Role(StrEnum):
    """What a person may do. An admin may do everything; a reviewer also annotates."""

    ADMIN = "admin"
    REVIEWER = "reviewer"
    ANNOTATOR = "annotator"


class Person(Base):
    """Somebody who can sign in. One who is removed stays, for the sake of what they did."""

    __tablename__ = "people"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(ExactText, unique=True)
    role: Mapped[Exact]
    password_hash: Mapped[str | None] = mapped_column(ExactText)
    added_ms: Mapped[Milliseconds]
    removed_ms: Mapped[int | None] = mapped_column(BIG)


class Session(Base):
    """A browser in which somebody is signed in. The token itself is nowhere: only its hash."""

    __tablename__ = "sessions"
    __table_args__ = (Index(None, "person"),)

    token_hash: Mapped[str] = mapped_column(ExactText, primary_key=True)
    person: Mapped[int] = mapped_column(BIG, ForeignKey("people.id"))
    seen_ms: Mapped[Milliseconds]


class Invitation(Base):
    """A link that makes one person. The token itself is nowhere: only its hash.

    `person` is whom it made. One that has a person and is not used gives that
    person another password instead.
    """

    __tablename__ = "invitations"

    id: Mapped[Id]
    token_hash: Mapped[str] = mapped_column(ExactText, unique=True)
    role: Mapped[Exact]
    invited_by: Mapped[int | None] = mapped_column(BIG, ForeignKey("people.id"))
    expires_ms: Mapped[Milliseconds]
    used_ms: Mapped[int | None] = mapped_column(BIG)
    person: Mapped[int | None] = mapped_column(BIG, ForeignKey("people.id"))
