"""The chat template that a model brings with its tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from instructglm.core.records import Message
from instructglm.data.templates.rendering import control_tokens, guarded_ids, render
from instructglm.data.templates.template import Template, Tokenizer

_PROBE = "answer"
_QUESTION = [{"role": "user", "content": "question"}]
_ANSWER = {"role": "assistant", "content": _PROBE}


class ChatTemplate(Template):
    """Messages as the model saw them when it was made; the last answer is trained, earlier ones are read."""

    name = "chat"

    @classmethod
    def fits(cls, tokenizer: Tokenizer) -> bool:
        return bool(getattr(tokenizer, "chat_template", None))

    def _prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        return guarded_ids(self.tokenizer, messages, self._control)

    @cached_property
    def _control(self) -> dict[str, str]:
        return control_tokens(self.tokenizer)

    @cached_property
    def start_ids(self) -> list[int]:
        """What this template puts between its generation prompt and an answer, if anything."""
        question = render(self.tokenizer, _QUESTION, add_generation_prompt=True, tokenize=False)
        answered = render(self.tokenizer, [*_QUESTION, _ANSWER], tokenize=False)
        if not answered.startswith(question):
            return []
        return self._markup_ids(answered[len(question) :].partition(_PROBE)[0])

    def _find_stop_id(self) -> int:
        """The first control token after an answer in a rendered conversation, else end of sequence."""
        rendered = render(self.tokenizer, [*_QUESTION, _ANSWER], tokenize=False)
        after = self._markup_ids(rendered.rsplit(_PROBE, 1)[-1])
        special = set(self.tokenizer.all_special_ids)
        stop = next((token for token in after if token in special), None)
        return self._end_of_sequence() if stop is None else stop

    def _markup_ids(self, text: str) -> list[int]:
        """The ids of the template's own text, in which control tokens are control tokens."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
