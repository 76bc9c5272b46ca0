"""What a conversation handed to `apply_chat_template` has to be."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from instructglm.core.errors import ModelError

Turn: TypeAlias = Mapping[str, Any]
"""`role` and `content`; ChatGLM3 and GLM-4 also read `metadata`, ChatGLM3 `tools` in a system message."""

_TALK = ("user", "assistant")
_ORDER_HINT = "A conversation is a list of messages: one of the user, then answers and questions in turn."


def is_batch(conversation: Sequence[Any]) -> bool:
    """Whether these are several conversations rather than the messages of one."""
    return bool(conversation) and isinstance(conversation[0], list | tuple)


def check_turns(turns: Sequence[Turn], roles: Collection[str], *, add_generation_prompt: bool) -> None:
    """Refuse what no format of this family can hold.

    Raises:
        ModelError: names every message that is wrong.
    """
    faults = [*_faults(turns, roles)] or [*_end_faults(turns, add_generation_prompt)]
    if faults:
        raise ModelError(*faults, hint=_ORDER_HINT)


def _faults(turns: Sequence[Turn], roles: Collection[str]) -> Iterator[str]:
    if not turns:
        yield "a conversation without messages; expected at least one of the user"
    for number, turn in enumerate(turns, 1):
        if turn.get("role") not in roles:
            yield f"message {number}: its role is {turn.get('role')!r}; this model knows {', '.join(roles)}"
        if not isinstance(turn.get("content"), str):
            yield f"message {number}: its content is a {type(turn.get('content')).__name__}; expected text"


def _end_faults(turns: Sequence[Turn], add_generation_prompt: bool) -> Iterator[str]:
    if turns[-1]["role"] == "system":
        yield "the last message is of the system; expected one of the user, or an answer"
    if turns[-1]["role"] == "assistant" and add_generation_prompt:
        yield "add_generation_prompt asks for an answer, but the last message is an answer already"


def check_alternation(turns: Sequence[Turn]) -> None:
    """Refuse a conversation in which user and assistant do not speak in turn.

    Raises:
        ModelError: names the first message that is out of turn.
    """
    for number, turn in enumerate(turns):
        expected = _TALK[number % 2]
        if turn["role"] != expected:
            roles = ", ".join(turn["role"] for turn in turns)
            raise ModelError(
                f"found the roles {roles}; message {number + 1} of them should be of the {expected}",
                hint=f"{_ORDER_HINT} A system message may stand in front.",
            )


def without_system(turns: Sequence[Turn]) -> list[Turn]:
    """For a model that knows no system: its text stands before the first question, a blank line between."""
    instructions = []
    for turn in turns:
        if turn["role"] != "system":
            break
        instructions.append(turn["content"])
    first, *rest = turns[len(instructions) :]
    return [{"role": first["role"], "content": "\n\n".join([*instructions, first["content"]])}, *rest]
