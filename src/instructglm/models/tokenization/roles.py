"""Conversations in which a control token names the speaker before every message: ChatGLM3-6B and GLM-4."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import dropwhile, pairwise

from instructglm.core.errors import ModelError
from instructglm.models.tokenization.chat import Control, Part
from instructglm.models.tokenization.conversation import Turn, check_turns

ROLES = ("system", "user", "assistant", "observation")
SPEAKERS = {f"{role}_token": f"<|{role}|>" for role in ROLES}
"""The control tokens of the speakers, by their names among a tokenizer's attributes."""
_ALIASES = {"tool": "observation"}  # what transformers calls the speaker of a tool's result


def spoken_parts(turns: Sequence[Turn], *, add_generation_prompt: bool) -> list[Part]:
    """Each message as its speaker, its metadata with a line end, and its content.

    The metadata of an answer is the name of the tool that it calls; elsewhere it is empty.

    Raises:
        ModelError: a speaker is not known, or speaks out of turn.
    """
    named = [{**turn, "role": _ALIASES.get(turn.get("role", ""), turn.get("role"))} for turn in turns]
    check_turns(named, ROLES, add_generation_prompt=add_generation_prompt)
    _check_order([turn["role"] for turn in named])
    parts = [part for turn in named for part in _message(turn)]
    return [*parts, Control("<|assistant|>")] if add_generation_prompt else parts


def _message(turn: Turn) -> list[Part]:
    if turn.get("tool_calls"):
        raise ModelError(
            "a message has tool_calls, which this format does not know",
            hint="Give the tool's name as `metadata` and the call as `content`, as the model writes them.",
        )
    return [Control(f"<|{turn['role']}|>"), f"{turn.get('metadata') or ''}\n", turn["content"]]


def _check_order(roles: Sequence[str]) -> None:
    """System messages first, then the user; a tool's result only after the answer that called it, or another result."""
    talk = list(dropwhile(lambda role: role == "system", roles))
    uncalled = any(role == "observation" and before == "user" for before, role in pairwise(talk))
    if "system" in talk or talk[0] != "user" or uncalled:
        raise ModelError(
            f"found the roles {', '.join(roles)}; expected system messages in front, then one of the user; "
            "an observation follows the answer that called the tool",
            hint="Bring the messages into that order.",
        )
