"""Which tokens of an example are trained, to be looked at before anything is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from instructglm.core.records import Record
from instructglm.data.templates import IGNORE_INDEX, Encoded, Template


class Preview(Record):
    """One sequence as the model sees it: each token's text, and whether it is trained."""

    row: str
    tokens: tuple[tuple[str, bool], ...]
    num_tokens: int
    num_trained: int
    stop_token_trained: bool


def preview(row: str, encoded: Encoded, template: Template) -> Preview:
    """The tokens of a sequence that `encode_examples` made, as training will read it."""
    trained = [label != IGNORE_INDEX for label in encoded.labels]
    texts = token_texts(encoded.input_ids, template)
    shown = [text or _name(token, template) for token, text in zip(encoded.input_ids, texts, strict=True)]
    pieces = tuple(zip(shown, trained, strict=True))
    return Preview(
        row=row,
        tokens=pieces,
        num_tokens=len(pieces),
        num_trained=sum(trained),
        stop_token_trained=encoded.labels[-1:] == [template.stop_id],
    )


def _name(token: int, template: Template) -> str:
    """The name of a control token, which some tokenizers decode to nothing."""
    tokenizer = template.tokenizer
    return tokenizer.convert_ids_to_tokens(token) if token in tokenizer.all_special_ids else ""


def token_texts(token_ids: Sequence[int], template: Template) -> list[str]:
    """The text that each token adds; joined, they are the text of the whole.

    Where a character is spread over several tokens, the last of them has it
    and the others are empty.
    """
    decode = partial(template.tokenizer.decode, clean_up_tokenization_spaces=False)  # it would look at what is beside
    texts: list[str] = []
    start = shown = 0  # tokens [start, shown) are the last piece: some tokenizers decode a token differently without it
    for end in range(1, len(token_ids) + 1):
        before, after = decode(token_ids[start:shown]), decode(token_ids[start:end])
        whole = not after.endswith("\ufffd") or end == len(token_ids)
        texts.append(after[len(before) :] if whole else "")
        start, shown = (shown, end) if whole else (start, shown)
    return texts
