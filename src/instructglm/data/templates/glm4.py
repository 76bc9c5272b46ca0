"""GLM-4 9B, in its own layout and in that of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from instructglm.core.errors import ModelError
from instructglm.core.records import Message
from instructglm.data.templates.rendering import apart_ids, render, rendered_ids
from instructglm.data.templates.roles import RoleTemplate
from instructglm.data.templates.template import Tokenizer

_NEEDED = {"<|system|>", "<|user|>", "<|assistant|>", "<|observation|>", "<|endoftext|>"}
_TURNS = [("system", "rule"), ("user", "question"), ("assistant", "answer"), ("user", "question")]
_RENDERED = "[gMASK]<sop><|system|>\nrule<|user|>\nquestion<|assistant|>\nanswer<|user|>\nquestion<|assistant|>"


class Glm4Template(RoleTemplate):
    """`[gMASK]`, `<sop>`, then the messages with their speakers; `<|user|>`, the next to speak, ends an answer."""

    name = "glm4"

    @classmethod
    def fits(cls, tokenizer: Tokenizer) -> bool:
        """Also for a tokenizer in transformers' layout, known by what its chat template writes."""
        return super().fits(tokenizer) or (bool(getattr(tokenizer, "chat_template", None)) and _writes_glm4(tokenizer))

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        return frozenset(self._control_id(token) for token in ("<|endoftext|>", "<|user|>", "<|observation|>"))

    def _prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        # A jinja template joins line end and text before they are tokenized, which the model was not trained with:
        # a text that begins with a line end would melt into the one before it.
        ours = hasattr(self.tokenizer, "template_name")
        return (rendered_ids if ours else apart_ids)(self.tokenizer, messages)

    def _find_stop_id(self) -> int:
        return self._control_id("<|user|>")


def _writes_glm4(tokenizer: Tokenizer) -> bool:
    if not _NEEDED.issubset(tokenizer.all_special_tokens):
        return False
    turns = [{"role": role, "content": content} for role, content in _TURNS]
    try:
        return bool(render(tokenizer, turns, add_generation_prompt=True, tokenize=False) == _RENDERED)
    except ModelError:  # a template that knows no system message
        return False
