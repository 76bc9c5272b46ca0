"""The chat template that a model brings with its tokenizer."""

from __future__ import annotations

from collections.abc import Sequence

from instructglm.core.errors import ModelError
from instructglm.core.records import Message
from instructglm.data.templates.template import Template

_PROBE = "answer"


class ChatTemplate(Template):
    """Messages as the model saw them when it was made."""

    name = "chat"

    def context_ids(self, messages: Sequence[Message]) -> list[int]:
        conversation = [message.model_dump() for message in messages]
        ids = self.tokenizer.apply_chat_template(
            conversation, add_generation_prompt=True, tokenize=True, return_dict=False
        )
        return list(ids)

    def _find_stop_id(self) -> int:
        """The first control token after an answer in a rendered conversation, else end of sequence."""
        turns = [{"role": "user", "content": "question"}, {"role": "assistant", "content": _PROBE}]
        rendered = self.tokenizer.apply_chat_template(turns, tokenize=False)
        after = self.text_ids(rendered.rsplit(_PROBE, 1)[-1])
        special = set(self.tokenizer.all_special_ids)
        stop = next((token for token in after if token in special), self.tokenizer.eos_token_id)
        if stop is None:
            raise ModelError(
                "this tokenizer has no token that ends an answer",
                hint="Set `eos_token` in its tokenizer_config.json.",
            )
        return stop
