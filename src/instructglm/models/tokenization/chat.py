"""`apply_chat_template` that writes ids, not a text to be tokenized: no message can become a control token.

The formats of the ChatGLM family cannot be had from a text. ChatGLM3 was trained
with every message tokenized by itself, after its speaker's control token; a
jinja template joins them first, and the published one gives other ids. So a
format gives its parts, control tokens and texts, and each part its ids.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from instructglm.core.errors import ModelError
from instructglm.models.tokenization.conversation import Turn, is_batch


@dataclass(frozen=True)
class Control:
    """A control token that the format itself writes."""

    token: str


Part: TypeAlias = str | Control


class ChatTokenizer(ABC):
    """The side of a tokenizer that knows its model's chat format; the other side is a tokenizer of transformers."""

    template_name: ClassVar[str]
    """The template of `instructglm.data.templates` that belongs to this tokenizer."""

    @property
    @abstractmethod
    def stop_token_ids(self) -> list[int]:
        """The ids at which the official code stops generating."""

    @abstractmethod
    def chat_parts(
        self, turns: Sequence[Turn], *, tools: Sequence[Any] | None, add_generation_prompt: bool
    ) -> list[Part]:
        """The control tokens and texts that make up a conversation.

        Raises:
            ModelError: this format cannot hold the conversation.
        """

    def apply_chat_template(
        self,
        conversation: Sequence[Any],
        tools: Sequence[Any] | None = None,
        documents: Sequence[Any] | None = None,
        chat_template: str | None = None,
        add_generation_prompt: bool = False,
        continue_final_message: bool = False,
        tokenize: bool = True,
        padding: Any = False,
        truncation: bool = False,
        max_length: int | None = None,
        return_tensors: Any = None,
        return_dict: bool = True,
        tokenizer_kwargs: dict[str, Any] | None = None,
        **others: Any,
    ) -> Any:
        """One conversation or a batch of them in the model's own format, called as in transformers.

        Args:
            conversation: Messages with `role` and `content`, or a list of such lists.
            tools: Descriptions of tools, where the family knows them (ChatGLM3).
            add_generation_prompt: Whether to end with what asks the model for an answer.
            tokenize: Whether to give ids; else a text to be read, in which control tokens cannot be told from words.
            padding: As in a call of the tokenizer; on the left unless `tokenizer_kwargs` say otherwise.
            truncation: Whether `max_length` is a limit. Nothing is cut: that would cut off the markers.
            max_length: In tokens, for padding and as a limit.
            return_tensors: As in a call of the tokenizer (`pt`, `np`).
            return_dict: Whether to give input ids and attention mask, or only the ids.
            tokenizer_kwargs: What to pass on to `pad`.
            documents, chat_template, continue_final_message, **others: As in transformers, and refused:
                these formats have no such thing.

        Returns:
            A BatchEncoding of `input_ids` and `attention_mask`, the ids alone, or the text; lists of them for a batch.

        Raises:
            ModelError: the format cannot hold the conversation, or an argument asks for what it does not know.
        """
        _refuse(
            others
            | {
                "documents": documents,
                "chat_template": chat_template,
                "continue_final_message": continue_final_message,
            }
        )
        several = is_batch(conversation)
        parts = [
            self.chat_parts(list(turns), tools=tools, add_generation_prompt=add_generation_prompt)
            for turns in (conversation if several else [conversation])
        ]
        if not tokenize:
            texts = [_text(each) for each in parts]
            return texts if several else texts[0]
        ids = [self._chat_ids(each) for each in parts]
        _check_lengths(ids, max_length if truncation else None)
        encoding = self.pad(  # type: ignore[attr-defined]
            {"input_ids": ids if several or return_tensors is not None else ids[0]},
            padding=padding,
            max_length=max_length,
            return_tensors=return_tensors,
            **(tokenizer_kwargs or {}),
        )
        return encoding if return_dict else encoding["input_ids"]

    def _chat_ids(self, parts: Sequence[Part]) -> list[int]:
        return [token for part in parts for token in self._part_ids(part)]

    def _part_ids(self, part: Part) -> list[int]:
        if isinstance(part, Control):
            return [self.convert_tokens_to_ids(part.token)]  # type: ignore[attr-defined]
        encoded = self(part, add_special_tokens=False, split_special_tokens=True)  # type: ignore[operator]
        return list(encoded["input_ids"])


# Newer callers ask with this that no text becomes a control token: here none ever does, whatever is asked.
_ALWAYS_SO = {"sanitize_control_tokens"}


def _refuse(arguments: dict[str, Any]) -> None:
    refused = sorted(name for name, value in arguments.items() if value and name not in _ALWAYS_SO)
    if refused:
        raise ModelError(
            f"apply_chat_template: {', '.join(refused)} cannot be had with the chat formats of the ChatGLM family",
            hint="Leave it out; the format is fixed by how the model was trained.",
        )


def _check_lengths(ids: Sequence[Sequence[int]], limit: int | None) -> None:
    longest = max(map(len, ids), default=0)
    if limit is not None and longest > limit:
        raise ModelError(
            f"this conversation has {longest} tokens; max_length is {limit}",
            hint="Leave out earlier messages, or raise max_length: cutting ids would cut off the markers.",
        )


def _text(parts: Sequence[Part]) -> str:
    return "".join(part.token if isinstance(part, Control) else part for part in parts)
