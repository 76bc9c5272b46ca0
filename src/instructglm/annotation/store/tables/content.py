from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from instructglm.annotation.store.tables.base import BIG, Base, Exact, ExactJson, ExactText, Id, Logged, Number


class Project(Base):
    """A collection of instructions with one way of annotating them: `settings` are `projects.Settings`."""

    __tablename__ = "projects"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(ExactText, unique=True)
    settings: Mapped[Any] = mapped_column(ExactJson)


class Guideline(Logged, Base):
    """One version of what annotators are told to do."""

    __tablename__ = "guidelines"
    __table_args__ = (UniqueConstraint("project", "version"),)

    project: Mapped[int] = mapped_column(BIG, ForeignKey("projects.id"))
    version: Mapped[Number]
    text: Mapped[Exact]


class Instruction(Logged, Base):
    """One prompt, with all that is known of it. `key` names it by its task and its messages."""

    __tablename__ = "instructions"
    __table_args__ = (UniqueConstraint("project", "key"),)

    project: Mapped[int] = mapped_column(BIG, ForeignKey("projects.id"))
    key: Mapped[Exact]
    task: Mapped[Exact]
    messages: Mapped[Any] = mapped_column(ExactJson)
    domain: Mapped[Exact]
    complexity: Mapped[Exact]
    language: Mapped[Exact]
    source: Mapped[Exact]
    licence: Mapped[Exact]
    choices: Mapped[Any] = mapped_column(ExactJson)
    extra: Mapped[Any] = mapped_column(ExactJson)


class Origin(StrEnum):
    """Where an output comes from."""

    PERSON = "person"
    IMPORTED = "imported"
    MODEL = "model"


class Output(Logged, Base):
    """One answer to an instruction. `edited_from` is the output that a person changed into this one."""

    __tablename__ = "outputs"
    __table_args__ = (Index(None, "instruction"),)

    instruction: Mapped[int] = mapped_column(BIG, ForeignKey("instructions.id"))
    text: Mapped[Exact]
    origin: Mapped[Exact]
    person: Mapped[int | None] = mapped_column(BIG, ForeignKey("people.id"))
    model: Mapped[Exact]
    round: Mapped[int | None] = mapped_column(BIG, ForeignKey("rounds.id"))
    edited_from: Mapped[int | None] = mapped_column(BIG, ForeignKey("outputs.id"))


class Withdrawal(Logged, Base):
    """Takes an instruction or an output out of use. What is withdrawn stays in the store."""

    __tablename__ = "withdrawals"
    __table_args__ = (
        CheckConstraint("(instruction IS NULL) <> (output IS NULL)", name="one_thing"),
        Index(None, "instruction"),
        Index(None, "output"),
    )

    instruction: Mapped[int | None] = mapped_column(BIG, ForeignKey("instructions.id"))
    output: Mapped[int | None] = mapped_column(BIG, ForeignKey("outputs.id"))
    reason: Mapped[Exact]


class GoldAnswer(Logged, Base):
    """The known answer of an instruction: a label, or a rating of one output give or take `tolerance`."""

    __tablename__ = "gold_answers"
    __table_args__ = (Index(None, "instruction"),)

    instruction: Mapped[int] = mapped_column(BIG, ForeignKey("instructions.id"))
    label: Mapped[str | None] = mapped_column(ExactText)
    output: Mapped[int | None] = mapped_column(BIG, ForeignKey("outputs.id"))
    criterion: Mapped[Exact]
    value: Mapped[float | None]
    tolerance: Mapped[float]
