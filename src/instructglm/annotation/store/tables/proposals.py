from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from instructglm.annotation.store.tables.base import BIG, Base, Exact, ExactJson, Logged, Number


class Proposal(Logged, Base):
    """An instruction that a model wrote, and that nobody is given before a person accepts it.

    `key` names it as it would name the instruction; `record` is what would be
    imported. It came with answer `reply` of the `expansion` of that name.
    """

    __tablename__ = "proposals"
    __table_args__ = (UniqueConstraint("project", "key"),)

    project: Mapped[int] = mapped_column(BIG, ForeignKey("projects.id"))
    key: Mapped[Exact]
    record: Mapped[Any] = mapped_column(ExactJson)
    model: Mapped[Exact]
    expansion: Mapped[Exact]
    reply: Mapped[Number]


class ProposalDecision(Logged, Base):
    """A person's one word on a proposal; of an accepted one, the instruction that it became."""

    __tablename__ = "proposal_decisions"
    __table_args__ = (UniqueConstraint("proposal"),)

    proposal: Mapped[int] = mapped_column(BIG, ForeignKey("proposals.id"))
    person: Mapped[int] = mapped_column(BIG, ForeignKey("people.id"))
    accepted: Mapped[bool] = mapped_column(Boolean)
    reason: Mapped[Exact]
    instruction: Mapped[int | None] = mapped_column(BIG, ForeignKey("instructions.id"))
