"""A conversation's ids, as the tokenizer's own chat template makes them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jinja2 import TemplateError

from instructglm.core.errors import ModelError
from instructglm.core.records import Message
from instructglm.data.templates.template import Tokenizer

_PRIVATE = range(0xE000, 0xF900)  # characters without a meaning, which hardly any text has


def rendered_ids(tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
    """The ids that the tokenizer itself gives, the generation prompt included.

    A control token that is written in a message is left to the tokenizer.

    Raises:
        ModelError: the chat template refuses the conversation.
    """
    conversation = [message.model_dump() for message in messages]
    return list(render(tokenizer, conversation, add_generation_prompt=True, tokenize=True, return_dict=False))


def apart_ids(tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
    """As `rendered_ids`, but each message and each markup is tokenized by itself, and messages stay text.

    For models that were trained so. Where a tokenizer puts a mark before every text, each gets one.

    Raises:
        ModelError: the chat template refuses the conversation.
    """
    mark = next(_unused(messages))
    hidden = [{"role": message.role, "content": f"{mark}{number}{mark}"} for number, message in enumerate(messages)]
    pieces = render(tokenizer, hidden, add_generation_prompt=True, tokenize=False).split(mark)
    ids: list[int] = []
    for place, piece in enumerate(pieces):
        text = messages[int(piece)].content if place % 2 else piece
        ids += _ids(tokenizer, text, split_special_tokens=bool(place % 2))
    return ids


def guarded_ids(tokenizer: Tokenizer, messages: Sequence[Message], control: Mapping[str, str]) -> list[int]:
    """As `rendered_ids`, but what is written in a message cannot become a control token.

    The typed control tokens are hidden while the template writes its own.
    A tokenizer takes a text apart at its control tokens before all else, so
    only the stretches between these in which something was hidden are
    tokenized by themselves; the ids around them are those of the whole.
    `control` are the `control_tokens` of the tokenizer.

    Raises:
        ModelError: the chat template refuses the conversation.
    """
    typed = [token for token in control if any(token in message.content for message in messages)]
    if not typed:
        return rendered_ids(tokenizer, messages)
    hidden = dict(zip(typed, _unused(messages), strict=False))
    conversation = [{"role": message.role, "content": _replaced(message.content, hidden)} for message in messages]
    rendered = render(tokenizer, conversation, add_generation_prompt=True, tokenize=False)
    shown = {mark: token for token, mark in hidden.items()}
    ids: list[int] = []
    for stretch, is_guarded in _stretches(rendered, control, shown):
        if is_guarded:
            ids += _later_ids(tokenizer, stretch, control) if ids else _ids(tokenizer, stretch, True)
        else:
            ids += _ids(tokenizer, stretch, split_special_tokens=False)
    return ids


def control_tokens(tokenizer: Tokenizer) -> dict[str, str]:
    """What the tokenizer takes for control tokens in a text, the longest first: each as a pattern of what it eats.

    Not all are in `all_special_tokens`: a model may come with more than its tokenizer_config.json names.
    """
    added = {str(token): token for token in getattr(tokenizer, "added_tokens_decoder", {}).values() if token.special}
    names = sorted({*tokenizer.all_special_tokens, *added} - {""}, key=lambda name: (-len(name), name))
    return {name: _pattern(name, added.get(name)) for name in names}


def _pattern(name: str, token: Any) -> str:
    """Some control tokens take the whitespace beside them in."""
    before = r"\s*" if getattr(token, "lstrip", False) else ""
    after = r"\s*" if getattr(token, "rstrip", False) else ""
    return f"{before}{re.escape(name)}{after}"


def _stretches(rendered: str, control: Mapping[str, str], shown: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
    """The text in order, cut where something is hidden between two control tokens; whether that is so, with each."""
    open_text = ""
    for place, part in enumerate(re.split(f"({'|'.join(control.values())})", rendered)):
        if place % 2 or not any(mark in part for mark in shown):
            open_text += part
            continue
        if open_text:
            yield open_text, False
        yield _replaced(part, shown), True
        open_text = ""
    if open_text:
        yield open_text, False


def _later_ids(tokenizer: Tokenizer, text: str, control: Mapping[str, str]) -> list[int]:
    """The ids of a text that follows a control token: some tokenizers put a mark before a first text only."""
    ids = _ids(tokenizer, text, split_special_tokens=True)
    first = next(iter(control))
    if _ids(tokenizer, f"{first}a", split_special_tokens=False)[1:] == _ids(tokenizer, "a", True):
        return ids
    neighbour = chr(_PRIVATE[-1])  # melts into nothing
    before, both = (_ids(tokenizer, part, True) for part in (neighbour, neighbour + text))
    return both[len(before) :] if both[: len(before)] == before else ids


def _ids(tokenizer: Tokenizer, text: str, split_special_tokens: bool) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, split_special_tokens=split_special_tokens)["input_ids"])


def _replaced(text: str, words: Mapping[str, str]) -> str:
    longest_first = sorted(words, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), lambda found: words[found[0]], text)


def _unused(messages: Sequence[Message]) -> Iterator[str]:
    """Characters that no message has."""
    used = {character for message in messages for character in message.content}
    return (chr(code) for code in _PRIVATE if chr(code) not in used)


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
