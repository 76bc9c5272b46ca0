"""For models that were never taught to chat: turns as marked paragraphs."""

from __future__ import annotations

from collections.abc import Sequence

from instructglm.core.errors import ModelError
from instructglm.core.records import Message
from instructglm.data.templates.template import Template

_HEADS = {"system": "", "user": "Instruction: ", "assistant": "Answer: "}


class PlainTemplate(Template):
    """`Instruction: ...`, a blank line, `Answer:`; the end-of-sequence token ends an answer."""

    name = "plain"

    def context_ids(self, messages: Sequence[Message]) -> list[int]:
        turns = [f"{_HEADS[message.role]}{message.content}" for message in messages]
        return self.text_ids("\n\n".join([*turns, "Answer: "]).rstrip(" "))

    def output_ids(self, text: str) -> list[int]:
        return super().output_ids(f" {text}")

    def _find_stop_id(self) -> int:
        if self.tokenizer.eos_token_id is None:
            raise ModelError(
                "this tokenizer has no end-of-sequence token",
                hint="Set `eos_token` in its tokenizer_config.json.",
            )
        return self.tokenizer.eos_token_id
