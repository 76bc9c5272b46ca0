"""The tokenizer of ChatGLM2-6B."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from instructglm.core.errors import ModelError
from instructglm.models.tokenization.chat import Control, Part
from instructglm.models.tokenization.conversation import Turn
from instructglm.models.tokenization.pieces import ADDED, CONTROL, PieceTokenizer
from instructglm.models.tokenization.rounds import numbered, talk


class ChatGLM2Tokenizer(PieceTokenizer):
    """Ids, decoding and chat format of ChatGLM2-6B, equal to the official code's."""

    template_name = "chatglm2"
    control = CONTROL
    added = ADDED

    @property
    def stop_token_ids(self) -> list[int]:
        return [self.eos_token_id]

    def chat_parts(
        self, turns: Sequence[Turn], *, tools: Sequence[Any] | None, add_generation_prompt: bool
    ) -> list[Part]:
        """`[gMASK]`, `sop` and rounds numbered from 1 with blank lines between; an answer at the end has `</s>`.

        A system message, which the model does not know, stands before the first question.
        """
        if tools:
            raise ModelError("ChatGLM2-6B knows no tools", hint="Describe them in the question, or use ChatGLM3-6B.")
        texts = talk(turns, add_generation_prompt=add_generation_prompt)
        front: list[Part] = [Control("[gMASK]"), Control("sop")]
        if len(texts) % 2 == 0:
            return [*front, _asked(texts[:-1]), texts[-1], Control("</s>")]
        return [*front, _asked(texts) if add_generation_prompt else numbered(texts, first=1, gap="\n\n")]


def _asked(texts: Sequence[str]) -> str:
    return numbered([*texts, ""], first=1, gap="\n\n")
