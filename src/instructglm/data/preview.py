"""Which tokens of an example are trained, to be looked at before anything is."""

from __future__ import annotations

from collections.abc import Sequence

from instructglm.core.records import Record
from instructglm.data.encode import IGNORE_INDEX, Encoded
from instructglm.data.templates import Template


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
    pieces = tuple(zip(token_texts(encoded.input_ids, template), trained, strict=True))
    return Preview(
        row=row,
        tokens=pieces,
        num_tokens=len(pieces),
        num_trained=sum(trained),
        stop_token_trained=template.stop_id in encoded.labels,
    )


def token_texts(token_ids: Sequence[int], template: Template) -> list[str]:
    """The text that each token adds; joined, they are the text of the whole.

    Where a character is spread over several tokens, the last of them has it
    and the others are empty.
    """
    decode = template.tokenizer.decode
    texts: list[str] = []
    start = shown = 0  # tokens [start, shown) are the last piece: some tokenizers decode a token differently without it
    for end in range(1, len(token_ids) + 1):
        before, after = decode(token_ids[start:shown]), decode(token_ids[start:end])
        whole = not after.endswith("\ufffd") or end == len(token_ids)
        texts.append(after[len(before) :] if whole else "")
        start, shown = (shown, end) if whole else (start, shown)
    return texts
