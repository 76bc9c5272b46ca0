"""Conversations as numbered rounds of question and answer: ChatGLM-6B and ChatGLM2-6B."""

from __future__ import annotations

from collections.abc import Sequence

from instructglm.models.tokenization.conversation import Turn, check_alternation, check_turns, without_system

_ROLES = ("system", "user", "assistant")


def talk(turns: Sequence[Turn], *, add_generation_prompt: bool) -> list[str]:
    """Questions and answers in turn, the text of a system message in front of the first.

    Raises:
        ModelError: somebody speaks out of turn, or these models do not know him.
    """
    check_turns(turns, _ROLES, add_generation_prompt=add_generation_prompt)
    spoken = without_system(turns)
    check_alternation(spoken)
    return [turn["content"] for turn in spoken]


def numbered(texts: Sequence[str], *, first: int, gap: str) -> str:
    """The texts as rounds; an open round ends with the question.

    Args:
        texts: Questions and answers in turn.
        first: The number of the first round.
        gap: What stands between lines: one line end (ChatGLM-6B) or two (ChatGLM2-6B).
    """
    lines: list[str] = []
    for place, text in enumerate(texts):
        lines += [f"答：{text}"] if place % 2 else [f"[Round {first + place // 2}]", f"问：{text}"]
    return gap.join(lines)
