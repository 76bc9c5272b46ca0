"""What a template does, and what it asks of a tokenizer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

from instructglm.core.records import Message


class Tokenizer(Protocol):
    """The part of a transformers tokenizer that templates use."""

    chat_template: Any
    eos_token_id: int | None
    all_special_ids: list[int]

    all_special_tokens: list[str]

    def __call__(self, text: str, *, add_special_tokens: bool, split_special_tokens: bool = False) -> Any: ...

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool = False) -> str: ...

    def apply_chat_template(self, conversation: list[dict[str, str]], **settings: Any) -> Any: ...


class Template(ABC):
    """Turns messages into the context's ids, and an output into the ids that follow it.

    The two are tokenized apart, because generation starts from the context's
    ids: what is trained is what is asked.
    """

    name: str

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.stop_id = self._find_stop_id()

    @abstractmethod
    def context_ids(self, messages: Sequence[Message]) -> list[int]:
        """The ids after which the model answers."""

    @abstractmethod
    def _find_stop_id(self) -> int:
        """The id that ends an answer."""

    def text_ids(self, text: str) -> list[int]:
        """The ids of somebody's text: a control token that is written in it stays text."""
        return list(self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])

    def markup_ids(self, text: str) -> list[int]:
        """The ids of a template's own text, in which control tokens are control tokens."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def output_ids(self, text: str) -> list[int]:
        """The ids of an answer, the stop token included: all of them are trained."""
        return [*self.text_ids(text), self.stop_id]
