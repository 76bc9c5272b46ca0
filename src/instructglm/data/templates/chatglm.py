"""ChatGLM-6B, the first generation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from instructglm.core.errors import ModelError
from instructglm.core.records import Message
from instructglm.data.templates.rendering import rendered_ids
from instructglm.data.templates.template import Template


class ChatGLMTemplate(Template):
    """The bare question, or numbered rounds of 问 and 答, then `[gMASK]` and `<sop>`; `<eop>` ends an answer.

    `<sop>` belongs to the answer, as in the official fine-tuning code: it is
    trained at `[gMASK]`, and the context that the model reads in both
    directions ends before it.
    """

    name = "chatglm"
    repair_reach = 8  # the longest text that is replaced, a placeholder for the time of training

    @cached_property
    def start_ids(self) -> list[int]:
        if self.tokenizer.bos_token_id is None:
            raise ModelError(
                "this tokenizer has no `bos_token`, which begins the answers of ChatGLM-6B",
                hint="Set it to <sop> in tokenizer_config.json.",
            )
        return [self.tokenizer.bos_token_id]

    def _prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        ids = rendered_ids(self.tokenizer, messages)
        assert ids[-1:] == self.start_ids, "the tokenizer's prompts end with <sop>"
        return ids[:-1]

    def _find_stop_id(self) -> int:
        return self._end_of_sequence()

    def repaired(self, text: str) -> str:
        """With the full-width punctuation that belongs beside Chinese characters."""
        return str(self.tokenizer.process_response(text))  # type: ignore[attr-defined]  # of ours, which fits() saw
