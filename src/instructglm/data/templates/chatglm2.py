"""ChatGLM2-6B."""

from __future__ import annotations

from collections.abc import Sequence

from instructglm.core.records import Message
from instructglm.data.templates.rendering import rendered_ids
from instructglm.data.templates.template import Template


class ChatGLM2Template(Template):
    """`[gMASK]`, `sop`, numbered rounds of 问 and 答; `</s>` ends an answer, and only the last answer is trained."""

    name = "chatglm2"

    def _prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        return rendered_ids(self.tokenizer, messages)

    def _find_stop_id(self) -> int:
        return self._end_of_sequence()
