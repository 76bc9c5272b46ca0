"""Conversations: their turns checked, and cut before the last answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from instructglm.core.records import Message, Output
from instructglm.data.formats.fields import Fields

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a format writes a turn: its two keys, and its words for the roles."""

    role_key: str
    text_key: str
    roles: Mapping[str, Role]


def read_turns(fields: Fields, name: str, layout: Layout) -> list[Message]:
    """The turns of a conversation; faults are noted where a turn is not one, or speaks out of turn."""
    value = fields.get(name)
    if not isinstance(value, list):
        fields.fault(name, value, f"a list of objects with {layout.role_key} and {layout.text_key}")
        return []
    turns: list[Message] = []
    for index, item in enumerate(value):
        turn = _read_turn(fields, f"{name}[{index}]", item, layout)
        if turn is None:
            return []
        if not _may_follow(turn, turns):
            before = f"after a turn of {turns[-1].role}" if turns else "at the start"
            found = f"a turn of {turn.role} {before}"
            fields.fault_found(f"{name}[{index}]", found, "user and assistant by turns, user first")
            return []
        turns.append(turn)
    return turns


def _read_turn(fields: Fields, field: str, item: Any, layout: Layout) -> Message | None:
    if not isinstance(item, dict):
        fields.fault(field, item, f"an object with {layout.role_key} and {layout.text_key}")
        return None
    role = item.get(layout.role_key)
    if not isinstance(role, str) or role.lower() not in layout.roles:
        fields.fault(f"{field}.{layout.role_key}", role, f"one of {', '.join(layout.roles)}")
        return None
    text = _text_of(item.get(layout.text_key))
    if text is None:
        fields.fault(f"{field}.{layout.text_key}", item.get(layout.text_key), "text")
        return None
    return Message(role=layout.roles[role.lower()], content=text)


def _text_of(content: Any) -> str | None:
    """A text, also where it is written as parts of type text."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text"]
    sound = parts and len(texts) == len(parts) and all(isinstance(text, str) for text in texts)
    return "".join(map(str, texts)) if sound else None


def _may_follow(turn: Message, before: list[Message]) -> bool:
    if not before or before[-1].role == "system":
        return turn.role == "user" or (turn.role == "system" and not before)
    return turn.role == ("assistant" if before[-1].role == "user" else "user")


def cut_before_last_answer(fields: Fields, name: str, turns: list[Message]) -> tuple[list[Message], tuple[Output, ...]]:
    """The conversation up to the last answer, and that answer; what follows it is noted as empty."""
    last = max((index for index, turn in enumerate(turns) if turn.role == "assistant"), default=None)
    if last is None:
        if turns:
            fields.fault_found(name, f"{len(turns)} turn(s), none of the assistant", "a conversation with an answer")
        return [], ()
    if last + 1 < len(turns):
        fields.empty(f"{name}[{last + 1}]")
    answer = turns[last].content
    return turns[:last], (Output(text=answer),) if answer.strip() else ()
