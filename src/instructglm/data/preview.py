"""Which tokens of an example are trained, to be looked at before anything is."""

from __future__ import annotations

from collections.abc import Sequence

from instructglm.core.records import Example, Record
from instructglm.data.encode import IGNORE_INDEX, join
from instructglm.data.templates import Template


class Preview(Record):
    """One sequence as the model sees it: each token's text, and whether it is trained."""

    row: str
    tokens: tuple[tuple[str, bool], ...]
    num_tokens: int
    num_trained: int
    stop_token_trained: bool


def preview(example: Example, template: Template, output: int = 0) -> Preview:
    """The tokens of an example with one of its outputs."""
    context = template.context_ids(example.messages)
    encoded = join(context, template.output_ids(example.outputs[output].text))
    trained = [label != IGNORE_INDEX for label in encoded.labels]
    pieces = tuple(zip(token_texts(encoded.input_ids, template), trained, strict=True))
    return Preview(
        row=example.row,
        tokens=pieces,
        num_tokens=len(pieces),
        num_trained=sum(trained),
        stop_token_trained=encoded.labels[-1] == template.stop_id,
    )


def token_texts(token_ids: Sequence[int], template: Template) -> list[str]:
    """The text that each token adds.

    Where a character is spread over several tokens, the last of them has it
    and the others are empty.
    """
    texts: list[str] = []
    held: list[int] = []
    for token in token_ids:
        held.append(token)
        text = template.tokenizer.decode(held)
        whole = not text.endswith("\ufffd")
        texts.append(text if whole else "")
        held = [] if whole else held
    return texts
