"""From examples to token ids, with every token that is left out in the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from instructglm.core.errors import DataError
from instructglm.core.ledger import Ledger
from instructglm.core.records import Example, Message
from instructglm.data.templates import Template, Tokenizer, template_for

IGNORE_INDEX = -100
Overlong = Literal["refuse", "drop", "truncate_prompt"]
_SHOWN = 20  # faults spelled out in one message; the count is always whole


@dataclass(frozen=True, slots=True)
class Encoded:
    """One sequence: a context and one output. Labels are the ids from `context_length` on, else -100."""

    input_ids: list[int]
    labels: list[int]
    context_length: int


@dataclass(frozen=True, slots=True)
class Feature:
    """One prompt with all its outputs, encoded.

    `weights` sum to 1, so that within a step a prompt with many outputs does not outweigh one with a single output.
    """

    example_id: str
    context: list[int]
    outputs: list[list[int]]
    weights: list[float]

    def sequences(self) -> Iterator[tuple[Encoded, float]]:
        """Each output after the context, with its weight."""
        for output, weight in zip(self.outputs, self.weights, strict=True):
            yield join(self.context, output), weight


def join(context: Sequence[int], output: Sequence[int]) -> Encoded:
    """Context and output as one sequence of which only the output is trained."""
    labels = [IGNORE_INDEX] * len(context) + list(output)
    return Encoded([*context, *output], labels, len(context))


def encode(example: Example, tokenizer: Tokenizer, max_length: int | None = None, output: int = 0) -> Encoded:
    """One of an example's outputs after its prompt.

    Raises:
        DataError: it is longer than `max_length` tokens.
    """
    template = template_for(tokenizer)
    encoded = join(template.context_ids(example.messages), template.output_ids(example.outputs[output].text))
    if max_length is not None and len(encoded.input_ids) > max_length:
        raise DataError(_too_long(example, len(encoded.input_ids), max_length), hint=_OVERLONG_HINT)
    return encoded


def encode_examples(
    examples: Iterable[Example], template: Template, *, max_length: int, overlong: Overlong, ledger: Ledger
) -> list[Feature]:
    """All examples as features, in order; what is too long goes by the rule and into the ledger.

    Raises:
        DataError: the rule is `refuse` and some are too long; names all of them.
    """
    features: list[Feature] = []
    refused: list[str] = []
    for example in examples:
        outputs = [template.output_ids(output.text) for output in example.outputs]
        context = fit_context(example, template, max_length - max(map(len, outputs)), overlong, ledger)
        if context is None:
            length = len(template.context_ids(example.messages)) + max(map(len, outputs))
            if overlong == "refuse":
                refused.append(_too_long(example, length, max_length))
            else:
                ledger.drop(
                    example.row, "overlong", f"{length} tokens > {max_length}", num_tokens=length, task=example.task
                )
            continue
        total = sum(output.weight for output in example.outputs)
        features.append(Feature(example.id, context, outputs, [output.weight / total for output in example.outputs]))
    if refused:
        more = [f"... and {len(refused) - _SHOWN} more"] if len(refused) > _SHOWN else []
        raise DataError(*refused[:_SHOWN], *more, hint=_OVERLONG_HINT)
    return features


def fit_context(
    example: Example, template: Template, room: int, overlong: Overlong, ledger: Ledger
) -> list[int] | None:
    """The context's ids where they fit into `room` tokens, cut if the rule says so; None where they do not fit."""
    context = template.context_ids(example.messages)
    if len(context) <= room:
        return context
    if overlong != "truncate_prompt":
        return None
    short = _cut_front(example.messages, template, room)
    if short is not None:
        ledger.cut(example.row, "overlong", len(context) - len(short), "front of the prompt", task=example.task)
    return short


def _cut_front(messages: Sequence[Message], template: Template, room: int) -> list[int] | None:
    """The context with tokens taken from the front of its last message, whose end holds the question."""
    *earlier, last = messages
    content = template.text_ids(last.content)
    excess = len(template.context_ids(messages)) - room
    while excess < len(content):
        text = template.tokenizer.decode(content[excess:]).lstrip("\ufffd")  # half a character may stand at the cut
        context = template.context_ids([*earlier, Message(role=last.role, content=text)])
        if len(context) <= room:
            return context
        excess += len(context) - room
    return None


_OVERLONG_HINT = (
    "Raise data.max_length, or set data.overlong to `drop` or `truncate_prompt`; either is then named in the ledger."
)


def _too_long(example: Example, length: int, max_length: int) -> str:
    return f"{example.row}: {length} tokens with its output; data.max_length is {max_length}"
