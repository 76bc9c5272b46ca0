"""The tokenizer of ChatGLM3-6B."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from instructglm.core.errors import ModelError
from instructglm.models.tokenization.chat import Control, Part
from instructglm.models.tokenization.conversation import Turn
from instructglm.models.tokenization.pieces import ADDED, CONTROL, PieceTokenizer
from instructglm.models.tokenization.roles import SPEAKERS, spoken_parts


class ChatGLM3Tokenizer(PieceTokenizer):
    """Ids, decoding and chat format of ChatGLM3-6B, equal to the official code's.

    The vocabulary is that of ChatGLM2-6B, with control tokens for the speakers.
    """

    template_name = "chatglm3"
    control = CONTROL | SPEAKERS
    never_skipped = frozenset({"[gMASK]", "sop"})
    added = (*ADDED, *SPEAKERS.values())

    @property
    def stop_token_ids(self) -> list[int]:
        return [self.eos_token_id, self.user_token_id, self.observation_token_id]

    def chat_parts(
        self, turns: Sequence[Turn], *, tools: Sequence[Any] | None, add_generation_prompt: bool
    ) -> list[Part]:
        """`[gMASK]`, `sop`, then each message: its speaker, a line end, its text, tokenized apart.

        Tools are written as JSON under the first system message, which has to be
        there to introduce them; a system message may bring its own (`tools`). An
        answer at the end has `</s>`, as in the official fine-tuning code.
        """
        parts = spoken_parts(_with_tools(turns, tools), add_generation_prompt=add_generation_prompt)
        ended = [Control("</s>")] if turns[-1]["role"] == "assistant" else []
        return [Control("[gMASK]"), Control("sop"), *parts, *ended]


def _with_tools(turns: Sequence[Turn], tools: Sequence[Any] | None) -> list[Turn]:
    if tools:
        if not turns or turns[0].get("role") != "system":
            raise ModelError(
                "tools are given, but the conversation does not begin with a system message",
                hint="Begin with one that introduces the tools; their descriptions are written under it.",
            )
        turns = [{**turns[0], "tools": tools}, *turns[1:]]
    return [turn if turn.get("tools") is None else _described(turn) for turn in turns]


def _described(turn: Turn) -> Turn:
    """The message with its tools under its text."""
    if turn.get("role") != "system":
        raise ModelError(
            f"a message of the {turn.get('role')} has tools; ChatGLM3-6B reads them in a system message",
            hint="Move them there.",
        )
    try:
        descriptions = json.dumps(turn["tools"], indent=4, ensure_ascii=False)
    except TypeError as error:
        raise ModelError(
            f"a tool cannot be written as JSON: {error}", hint="Describe each tool by plain values, not by a function."
        ) from error
    return {**turn, "content": f"{turn['content']}\n{descriptions}"}
