"""From examples to token ids, with every token that is left out in the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from instructglm.core.errors import DataError
from instructglm.core.ledger import Ledger
from instructglm.core.records import Example, Message
from instructglm.data.earlier_answers import EarlierAnswers
from instructglm.data.templates import Encoded, Template, Tokenizer, template_for

Overlong = Literal["refuse", "drop", "truncate_prompt"]
_SHOWN = 20  # faults spelled out in one message; the count is always whole


@dataclass(frozen=True, slots=True)
class Feature:
    """One prompt with all its outputs, encoded.

    `weights` sum to 1, so that within a step a prompt with many outputs does not outweigh one with a single output.
    """

    example_id: str
    context: Encoded
    outputs: list[list[int]]
    weights: list[float]

    @property
    def num_tokens(self) -> int:
        """Tokens of the prompt and of all its outputs."""
        return len(self.context.input_ids) + sum(map(len, self.outputs))

    def sequences(self) -> Iterator[tuple[Encoded, float]]:
        """Each output after the context, with its weight."""
        for output, weight in zip(self.outputs, self.weights, strict=True):
            yield self.context.followed_by(output), weight


def encode(example: Example, tokenizer: Tokenizer, max_length: int | None = None, output: int = 0) -> Encoded:
    """One of an example's outputs after its prompt, as the official fine-tuning code of the model's family has it.

    Ids and labels are those of one sequence, without padding.

    Raises:
        DataError: it is longer than `max_length` tokens, has no such output, or is no `Example`.
        ModelError: the model's chat format has no place for a role of the example.
    """
    _require_output(example, output)
    template = template_for(tokenizer)
    encoded = template.context(example.messages).followed_by(template.output_ids(example.outputs[output].text))
    length = len(encoded.input_ids)
    if max_length is not None and length > max_length:
        raise DataError(_too_long(example, length, f"max_length is {max_length}"), hint=_SHORTEN_HINT)
    return encoded


def _require_output(example: Example, output: int) -> None:
    if not isinstance(example, Example):
        raise DataError(
            f"found a {type(example).__name__}; expected an Example of instructglm.core.records",
            hint='Make one: Example.of([Message(role="user", content="...")], ["an answer"]).',
        )
    if not -len(example.outputs) <= output < len(example.outputs):
        raise DataError(
            f"{_place(example)}output {output} is asked for; the example has {len(example.outputs)}",
            hint="The first is 0.",
        )


def encode_examples(
    examples: Iterable[Example],
    template: Template,
    *,
    max_length: int,
    overlong: Overlong,
    ledger: Ledger,
    held_out: Iterable[Example] = (),
    max_tokens: int | None = None,
) -> list[Feature]:
    """All examples as features, in order; what is too long goes by the rule and into the ledger.

    Too long is a prompt that has more than `max_length` tokens with one of its outputs, or more than `max_tokens` with
    all of them.
    Where the family trains the earlier answers of a conversation, one that answers a prompt of `held_out` is not.

    Raises:
        DataError: the rule is `refuse` and some are too long; names all of them.
    """
    examples = list(examples)
    earlier = EarlierAnswers([*examples, *held_out])
    features: list[Feature] = []
    refused: list[str] = []
    for example in examples:
        outputs = [template.output_ids(output.text) for output in example.outputs]
        room, limit = _room(outputs, max_length, max_tokens)
        elsewhere = earlier.trained_elsewhere(example.messages)
        context = fit_context(example, template, room, overlong, ledger, untrained=elsewhere)
        if context is not None:
            earlier.note(example.messages)
            features.append(Feature(example.id, context, outputs, _shares(example)))
            continue
        length = len(template.context(example.messages).input_ids) + limit.value - room
        if overlong == "refuse":
            refused.append(_too_long(example, length, f"{limit.name} is {limit.value}", limit.counted))
        else:
            detail = f"{length} tokens > {limit.value}"
            ledger.drop(example.row, "overlong", detail, num_tokens=length, task=example.task)
    _refuse(refused)
    return features


@dataclass(frozen=True, slots=True)
class _Limit:
    """A setting that limits length, and what it counts beside the prompt."""

    name: str
    value: int
    counted: str


def _room(outputs: Sequence[Sequence[int]], max_length: int, max_tokens: int | None) -> tuple[int, _Limit]:
    """Tokens that are left for the prompt, and the limit that says so."""
    lengths = [len(output) for output in outputs]
    alone = max_length - max(lengths), _Limit("data.max_length", max_length, "its output")
    if max_tokens is None:
        return alone
    together = max_tokens - sum(lengths), _Limit("training.tokens_per_batch", max_tokens, "all its outputs")
    return min(alone, together, key=lambda pair: pair[0])


def _shares(example: Example) -> list[float]:
    total = sum(output.weight for output in example.outputs)
    return [output.weight / total for output in example.outputs]


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        more = [f"... and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
        raise DataError(*faults[:_SHOWN], *more, hint=_OVERLONG_HINT)


def fit_context(
    example: Example,
    template: Template,
    room: int,
    overlong: Overlong,
    ledger: Ledger,
    *,
    untrained: frozenset[int] = frozenset(),
) -> Encoded | None:
    """The context where it fits into `room` tokens, cut if the rule says so; None where it does not fit.

    `untrained` are the places of earlier answers that are not trained here.
    """
    context = template.context(example.messages, untrained=untrained)
    if len(context.input_ids) <= room:
        return context
    if overlong != "truncate_prompt":
        return None
    messages = _cut_front(example.messages, template, room)
    if messages is None:
        return None
    short = template.context(messages, untrained=untrained)
    num_cut = len(context.input_ids) - len(short.input_ids)
    ledger.cut(example.row, "overlong", num_cut, "front of the prompt", task=example.task)
    return short


def _cut_front(messages: Sequence[Message], template: Template, room: int) -> list[Message] | None:
    """The messages with tokens taken from the front of the last one, whose end holds the question."""
    *earlier, last = messages
    content = template.text_ids(last.content)
    excess = len(template.context(messages).input_ids) - room
    while excess < len(content):
        rest = template.tokenizer.decode(content[excess:], clean_up_tokenization_spaces=False)
        text = rest.lstrip("\ufffd")  # half a character may stand at the cut
        cut = [*earlier, Message(role=last.role, content=text)]
        length = len(template.context(cut).input_ids)
        if length <= room:
            return cut
        excess += length - room
    return None


_OVERLONG_HINT = (
    "Raise that limit, or set data.overlong to `drop` or `truncate_prompt`; either is then named in the ledger."
)


_SHORTEN_HINT = "Raise max_length, or shorten the prompt or its output."


def _too_long(example: Example, length: int, limit: str, counted: str = "its output") -> str:
    return f"{_place(example)}{length} tokens with {counted}; {limit}"


def _place(example: Example) -> str:
    """What a message about the example begins with: where it was read, if anywhere."""
    return f"{example.row}: " if example.row else ""
