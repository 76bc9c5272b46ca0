"""ChatGLM3-6B."""

from __future__ import annotations

from collections.abc import Sequence

from instructglm.core.records import Message
from instructglm.data.templates.rendering import rendered_ids
from instructglm.data.templates.roles import RoleTemplate


class ChatGLM3Template(RoleTemplate):
    """`[gMASK]`, `sop`, then the messages with their speakers; `</s>` ends the last answer, the next speaker others."""

    name = "chatglm3"

    def _prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        return rendered_ids(self.tokenizer, messages)

    def _find_stop_id(self) -> int:
        return self._end_of_sequence()
