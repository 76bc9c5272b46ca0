"""A conversation's ids, as the tokenizer's own chat template makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError

from instructglm.core.errors import ModelError
from instructglm.core.records import Message
from instructglm.data.templates.template import Tokenizer

_MARK = "\ue000"  # a private-use character, which no text that was meant to be read has


def rendered_ids(tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
    """The ids that the tokenizer itself gives, the generation prompt included.

    A control token that is written in a message is left to the tokenizer.

    Raises:
        ModelError: the chat template refuses the conversation.
    """
    conversation = [message.model_dump() for message in messages]
    return list(render(tokenizer, conversation, add_generation_prompt=True, tokenize=True, return_dict=False))


def guarded_ids(tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
    """As `rendered_ids`, but each message is tokenized apart: what is written in it cannot become a control token.

    Raises:
        ModelError: the chat template refuses the conversation.
    """
    hidden = [{"role": message.role, "content": f"{_MARK}{number}{_MARK}"} for number, message in enumerate(messages)]
    pieces = render(tokenizer, hidden, add_generation_prompt=True, tokenize=False).split(_MARK)
    ids: list[int] = []
    for place, piece in enumerate(pieces):
        text = messages[int(piece)].content if place % 2 else piece
        ids += tokenizer(text, add_special_tokens=False, split_special_tokens=bool(place % 2))["input_ids"]
    return ids


def render(tokenizer: Tokenizer, conversation: list[dict[str, str]], **settings: Any) -> Any:
    """What `apply_chat_template` gives.

    Raises:
        ModelError: the chat template refuses the conversation.
    """
    try:
        return tokenizer.apply_chat_template(conversation, **settings)
    except TemplateError as error:
        roles = ", ".join(turn["role"] for turn in conversation)
        raise ModelError(
            f"this model's chat template refuses a conversation of the roles {roles}: {error}",
            hint="Many templates know no system message and want user and assistant in turn.",
        ) from error
