"""The chat template that a model brings with its tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from jinja2 import TemplateError

from instructglm.core.errors import ModelError
from instructglm.core.records import Message
from instructglm.data.templates.template import Template

_MARK = "\ue000"  # a private-use character, which no text that was meant to be read has
_PROBE = "answer"
_QUESTION = [{"role": "user", "content": "question"}]
_ANSWER = {"role": "assistant", "content": _PROBE}


class ChatTemplate(Template):
    """Messages as the model saw them when it was made."""

    name = "chat"

    def context_ids(self, messages: Sequence[Message]) -> list[int]:
        conversation = [message.model_dump() for message in messages]
        if any(token in message.content for message in messages for token in self.tokenizer.all_special_tokens):
            ids = self._guarded_ids(conversation)
        else:
            ids = self._render(conversation, add_generation_prompt=True, tokenize=True, return_dict=False)
        return [*ids, *self._lead_ids]

    def _guarded_ids(self, conversation: list[dict[str, str]]) -> list[int]:
        """Like the template's own ids, but what was written is tokenized apart: it cannot become control tokens."""
        hidden = [turn | {"content": f"{_MARK}{number}{_MARK}"} for number, turn in enumerate(conversation)]
        pieces = self._render(hidden, add_generation_prompt=True, tokenize=False).split(_MARK)
        written = [turn["content"] for turn in conversation]
        return [
            token
            for place, piece in enumerate(pieces)
            for token in (self.text_ids(written[int(piece)]) if place % 2 else self.markup_ids(piece))
        ]

    def _render(self, conversation: list[dict[str, str]], **settings: Any) -> Any:
        try:
            return self.tokenizer.apply_chat_template(conversation, **settings)
        except TemplateError as error:
            roles = ", ".join(turn["role"] for turn in conversation)
            raise ModelError(
                f"this model's chat template refuses a conversation of the roles {roles}: {error}",
                hint="Many templates know no system message and want user and assistant in turn.",
            ) from error

    @cached_property
    def _lead_ids(self) -> list[int]:
        """What this template puts between its generation prompt and an answer (GLM-4: a line end), if anything."""
        question = self._render(_QUESTION, add_generation_prompt=True, tokenize=False)
        answered = self._render([*_QUESTION, _ANSWER], tokenize=False)
        if not answered.startswith(question):
            return []
        return self.markup_ids(answered[len(question) :].partition(_PROBE)[0])

    def _find_stop_id(self) -> int:
        """The first control token after an answer in a rendered conversation, else end of sequence."""
        rendered = self._render([*_QUESTION, _ANSWER], tokenize=False)
        after = self.markup_ids(rendered.rsplit(_PROBE, 1)[-1])
        special = set(self.tokenizer.all_special_ids)
        stop = next((token for token in after if token in special), self.tokenizer.eos_token_id)
        if stop is None:
            raise ModelError(
                "this tokenizer has no token that ends an answer",
                hint="Set `eos_token` in its tokenizer_config.json.",
            )
        return stop
