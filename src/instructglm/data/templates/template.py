"""What a template does, and what it asks of a tokenizer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, Protocol

from instructglm.core.errors import ModelError
from instructglm.core.records import Message
from instructglm.data.templates.encoded import Encoded


class Tokenizer(Protocol):
    """The part of a transformers tokenizer that templates use.

    One of ours also has `template_name`, the template that its model was
    trained in, and `stop_token_ids`, at which the model's official code stops:
    its `apply_chat_template` gives that model's ids, and no text in a
    conversation becomes a control token.
    """

    chat_template: Any
    bos_token_id: int | None
    eos_token_id: int | None
    all_special_ids: list[int]
    all_special_tokens: list[str]

    def __call__(self, text: str, *, add_special_tokens: bool, split_special_tokens: bool = False) -> Any: ...

    def decode(
        self,
        token_ids: Sequence[int],
        *,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
    ) -> str: ...

    def apply_chat_template(self, conversation: list[dict[str, str]], **settings: Any) -> Any: ...

    def convert_tokens_to_ids(self, tokens: str) -> int | None: ...

    def convert_ids_to_tokens(self, ids: int) -> str: ...


class Template(ABC):
    """Turns messages into the context's ids, and an output into the ids that follow it.

    The two are tokenized apart, because generation starts from the context's
    ids: what is trained is what is asked.
    """

    name: ClassVar[str]
    repair_reach: ClassVar[int] = 0
    """How many characters at the end of an unfinished answer may look otherwise once it goes on; see `repaired`."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.stop_id = self._find_stop_id()

    @classmethod
    def fits(cls, tokenizer: Tokenizer) -> bool:
        """Whether this is the template of the tokenizer's model, as far as those listed before it are not."""
        return getattr(tokenizer, "template_name", None) == cls.name

    @abstractmethod
    def _prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """The conversation's ids up to where the model speaks."""

    @abstractmethod
    def _find_stop_id(self) -> int:
        """The id that is trained as the end of an answer."""

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """All ids that end an answer when the model gives them."""
        return frozenset({self.stop_id, *getattr(self.tokenizer, "stop_token_ids", ())})

    @cached_property
    def start_ids(self) -> list[int]:
        """What every answer begins with before its text: trained, and given when the model is asked."""
        return []

    def context(self, messages: Sequence[Message], *, untrained: frozenset[int] = frozenset()) -> Encoded:
        """The ids after which the model answers, the answer's start among them.

        `untrained` are the places in `messages` of earlier answers to be left
        out where the family trains them.
        """
        prompt = self._prompt_ids(messages)
        labels = self._prompt_labels(prompt, messages, untrained)
        return Encoded(prompt, labels, len(prompt)).followed_by(self.start_ids)

    def _prompt_labels(
        self, prompt: Sequence[int], messages: Sequence[Message], untrained: frozenset[int]
    ) -> list[int]:
        """Which of the prompt's ids are trained: none, in most families."""
        return Encoded.untrained(prompt).labels

    def output_ids(self, text: str) -> list[int]:
        """The ids of an answer after its start, the stop token included: all of them are trained."""
        return [*self.text_ids(text), self.stop_id]

    def answer_text(self, token_ids: Sequence[int]) -> str:
        """What an answer says, without control tokens and the blanks around it."""
        said = [token for token in token_ids if token not in self.stop_ids]
        return self.repaired(self.tokenizer.decode(said, skip_special_tokens=True).strip())

    def repaired(self, text: str) -> str:
        """A decoded text with what the family's tokenizer cannot write put back; most can write all."""
        return text

    def text_ids(self, text: str) -> list[int]:
        """The ids of somebody's text: a control token that is written in it stays text."""
        return list(self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])

    def _end_of_sequence(self) -> int:
        """The tokenizer's own end.

        Raises:
            ModelError: it has none.
        """
        if self.tokenizer.eos_token_id is None:
            raise ModelError(
                "this tokenizer has no token that ends an answer",
                hint="Set `eos_token` in its tokenizer_config.json.",
            )
        return self.tokenizer.eos_token_id

    def _control_id(self, token: str) -> int:
        """The id of a control token of the family.

        Raises:
            ModelError: the tokenizer does not know it.
        """
        found = self.tokenizer.convert_tokens_to_ids(token)
        if found is None or found not in self.tokenizer.all_special_ids:
            raise ModelError(
                f"this tokenizer has no control token {token}, which the template `{self.name}` needs",
                hint="Is it the tokenizer of this model? Take the tokenizer files of the model's own folder.",
            )
        return found
