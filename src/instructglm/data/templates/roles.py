"""Conversations in which a control token names the speaker before every message."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar

from instructglm.core.records import Message
from instructglm.data.templates.encoded import IGNORE_INDEX
from instructglm.data.templates.template import Template


class RoleTemplate(Template):
    """Speaker, line end, text, and again; every answer of a conversation is trained.

    The official fine-tuning code of these families shifts its mask by one id:
    what is trained of an answer is all after its speaker's token up to and
    including the id that follows its text, which is how the model learns to
    stop. No text can become a speaker's token, so they are found in the ids.

    An answer begins with the line end after its speaker. It is trained, and
    given when the model is asked. A reply can therefore not name a tool there,
    as these models otherwise may: what is tuned and measured here is text.
    """

    speakers: ClassVar[tuple[str, ...]] = ("<|system|>", "<|user|>", "<|assistant|>", "<|observation|>")

    @cached_property
    def start_ids(self) -> list[int]:
        return self.text_ids("\n")

    @cached_property
    def speaker_ids(self) -> frozenset[int]:
        return frozenset(self._control_id(token) for token in self.speakers)

    def _prompt_labels(
        self, prompt: Sequence[int], messages: Sequence[Message], untrained: frozenset[int]
    ) -> list[int]:
        answers = {
            place for place, message in enumerate(messages) if message.role == "assistant" and place not in untrained
        }
        labels = []
        place = -1  # of the message that the id before this one belongs to
        for token in prompt:
            labels.append(token if place in answers else IGNORE_INDEX)
            place += token in self.speaker_ids
        assert place == len(messages), "every message has its speaker, and so has the answer to come"
        return labels
