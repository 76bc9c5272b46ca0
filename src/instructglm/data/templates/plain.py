"""For models that were never taught to chat: turns as marked paragraphs."""

from __future__ import annotations

from collections.abc import Sequence

from instructglm.core.records import Message
from instructglm.data.templates.template import Template, Tokenizer

_HEADS = {"system": "", "user": "Instruction: ", "assistant": "Answer: "}


class PlainTemplate(Template):
    """`Instruction: ...`, a blank line, `Answer:`; the end-of-sequence token ends an answer."""

    name = "plain"

    @classmethod
    def fits(cls, tokenizer: Tokenizer) -> bool:
        """Always: where nothing is known of a model, this is as good as any."""
        return True

    def _prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        turns = [f"{_HEADS[message.role]}{message.content}" for message in messages]
        return [*self._begin_ids(), *self.text_ids("\n\n".join([*turns, "Answer:"]))]

    def _begin_ids(self) -> list[int]:
        """What this tokenizer puts before every text, such as a begin-of-sequence token."""
        probe = self.text_ids("a")
        marked = list(self.tokenizer("a", add_special_tokens=True)["input_ids"])
        return marked[: next((i for i in range(len(marked)) if marked[i : i + len(probe)] == probe), 0)]

    def output_ids(self, text: str) -> list[int]:
        return super().output_ids(f" {text}")

    def _find_stop_id(self) -> int:
        return self._end_of_sequence()
