"""The tables. Those in `APPENDED` only ever grow: triggers in the database refuse to change or delete their rows."""

from instructglm.annotation.store.tables.answers import Annotation, Decision, Kind, Submission
from instructglm.annotation.store.tables.base import Base, Logged
from instructglm.annotation.store.tables.content import (
    GoldAnswer,
    Guideline,
    Instruction,
    Origin,
    Output,
    Project,
    Withdrawal,
)
from instructglm.annotation.store.tables.log import Event
from instructglm.annotation.store.tables.people import Invitation, Person, Role, Session
from instructglm.annotation.store.tables.proposals import Proposal, ProposalDecision
from instructglm.annotation.store.tables.work import (
    IS_KEPT,
    IS_LEASED,
    Assignment,
    Cursor,
    Draft,
    Item,
    Round,
    State,
    Unsaved,
)

LOGGED: tuple[type[Logged], ...] = (
    Guideline, Instruction, Output, Withdrawal, GoldAnswer, Submission, Annotation, Decision,
    Proposal, ProposalDecision,
)  # fmt: skip
"""What the log vouches for, in the order in which an event's rows are hashed and inserted."""

APPENDED: tuple[str, ...] = (
    "events", "guidelines", "instructions", "outputs", "withdrawals", "gold_answers", "submissions", "annotations",
    "decisions", "proposals", "proposal_decisions",
)  # fmt: skip

__all__ = [
    "APPENDED", "IS_KEPT", "IS_LEASED", "LOGGED", "Annotation", "Assignment", "Base", "Cursor", "Decision", "Draft",
    "Event", "GoldAnswer", "Guideline", "Instruction", "Invitation", "Item", "Kind", "Logged", "Origin", "Output",
    "Person", "Project", "Proposal", "ProposalDecision", "Role", "Round", "Session", "State", "Submission", "Unsaved",
    "Withdrawal",
]  # fmt: skip
