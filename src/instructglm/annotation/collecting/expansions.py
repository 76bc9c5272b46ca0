"""Expansions of a project's instructions by a model: what was wished, and an account of every reply."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pydantic import Field
from sqlalchemy import select

from instructglm.annotation.collecting.near_duplicates import NEAR
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import Event
from instructglm.core.ids import content_hash
from instructglm.core.records import Record

EVENT = "expanded"
"""The kind of the event that stores a reply: its body is an `Account`."""
_VERSION = 1  # of what the same wish leads to; raise it when the wording or the drawing of examples changes


class Wish(Record):
    """What is wanted, of which model. All but `num` names an expansion: a higher `num` goes on with the same one."""

    model: str
    num: int = Field(50, ge=1)
    language: str = "en"
    domain: str = ""
    complexity: str = ""
    num_examples: int = Field(6, ge=1, le=50)
    num_per_reply: int = Field(5, ge=1, le=50)
    similarity: float = Field(NEAR, gt=0, le=1)
    seed: int = 0

    def name(self, project: int) -> str:
        return content_hash(_VERSION, project, self.model_dump(mode="json", exclude={"num"}))


class Dropped(Record):
    """A piece of a reply that was not kept: the reason, and what it is too much like, if that is why.

    Reasons: those of `replies.Unusable`, `near_duplicate` and `already_there`.
    """

    text: str
    reason: str
    like: str = ""
    similarity: float | None = None


class Account(Record):
    """One reply, and what became of it. `examples` are the instructions that the model was shown."""

    expansion: str
    reply: int
    model: str
    examples: tuple[int, ...]
    num_kept: int
    dropped: tuple[Dropped, ...]
    num_prompt_tokens: int | None
    num_tokens: int | None


class Expanded(Record):
    """How far an expansion has come, over all its runs. `dropped` counts by reason.

    Tokens are those that were counted by whoever answered. `is_whole`: all have come that were wanted.
    """

    expansion: str
    num_kept: int
    num_replies: int
    dropped: dict[str, int]
    num_prompt_tokens: int
    num_tokens: int
    is_whole: bool


def accounts(store: Store, project: int) -> tuple[Account, ...]:
    """What became of every reply of every expansion of a project, in the order of their coming."""
    query = select(Event.body).where(Event.project == project, Event.kind == EVENT).order_by(Event.number)
    with store.read() as connection:
        found: list[Any] = list(connection.scalars(query))
    return tuple(Account.model_validate(body) for body in found)


def so_far(store: Store, project: int, wish: Wish) -> Expanded:
    """How far the expansion of this wish has come."""
    name = wish.name(project)
    found = [one for one in accounts(store, project) if one.expansion == name]
    num_kept = sum(one.num_kept for one in found)
    return Expanded(
        expansion=name,
        num_kept=num_kept,
        num_replies=max((one.reply for one in found), default=0),
        dropped=dict(sorted(Counter(piece.reason for one in found for piece in one.dropped).items())),
        num_prompt_tokens=sum(one.num_prompt_tokens or 0 for one in found),
        num_tokens=sum(one.num_tokens or 0 for one in found),
        is_whole=num_kept >= wish.num,
    )
