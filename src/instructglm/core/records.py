"""The nouns every stage agrees on.

One prompt, several outputs: an `Example` holds a conversation up to the point
where the model has to speak, and every output that is accepted there. Nothing
in the house flattens it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from instructglm.core.errors import StorageError
from instructglm.core.ids import content_hash


class Record(BaseModel):
    """Frozen, and strict about its fields: what is written can be read back equal."""

    # A diverged loss is a figure too: JSON has no word for it, so it stands as the text "NaN" or "Infinity".
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


AnyRecord = TypeVar("AnyRecord", bound=Record)


def read_record(path: Path, kind: type[AnyRecord], hint: str) -> AnyRecord:
    """A record that one of our JSON files holds; `hint` says how to get the file anew.

    Raises:
        StorageError: the file is missing or damaged.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StorageError(f"{path}: cannot read: {error.strerror}", hint=hint) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise StorageError(f"{path}: damaged: {place and place + ': '}{first['msg']}", hint=hint) from error


class Split(StrEnum):
    """Where an example is used. The test split is never trained on or chosen by."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class Message(Record):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class Output(Record):
    """One accepted answer. `weight` is its share of the example's loss, before normalising.

    `ratings` are what raters gave it, on the scale of its source; none: it is
    not rated.
    """

    text: str
    weight: float = Field(1.0, gt=0, allow_inf_nan=False)
    annotator: str | None = None
    ratings: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] = ()


class Rating(Record):
    """One annotator's judgement of one item, on the scale of its source."""

    annotator: str
    value: float


class Example(Record):
    """One prompt with all its accepted outputs.

    `row` is where it was read, as `file:line` or `file[index]`: the id under
    which the ledger names it. `choices` is the closed set of answers, empty
    for an open task. Examples of one `group` never stand in two splits.
    `split` is set only where the source itself names one.
    """

    id: str
    task: str
    messages: tuple[Message, ...]
    outputs: tuple[Output, ...]
    choices: tuple[str, ...] = ()
    group: str
    split: Split | None = None
    row: str
    ratings: tuple[Rating, ...] = ()
    metadata: dict[str, JsonValue] = {}

    @classmethod
    def of(cls, messages: Sequence[Message], outputs: Sequence[str], *, task: str = "", row: str = "") -> Example:
        """An example of a conversation and its accepted answers, named by what it holds."""
        return cls(
            id=example_id(task, messages),
            task=task,
            messages=tuple(messages),
            outputs=tuple(Output(text=text) for text in outputs),
            group=prompt_hash(messages),
            row=row,
        )

    @property
    def references(self) -> tuple[str, ...]:
        """The texts of all accepted outputs."""
        return tuple(output.text for output in self.outputs)


def prompt_hash(messages: Sequence[Message]) -> str:
    """The name of a prompt: equal conversations get equal names, whatever the task."""
    return content_hash([message.model_dump() for message in messages])


def example_id(task: str, messages: Sequence[Message]) -> str:
    """The name of an example: its task and its prompt, not its outputs, which may grow."""
    return content_hash(task, prompt_hash(messages))


class Fault(Record):
    """A row that cannot be used: where, which field, what stood there, what was expected."""

    row: str
    field: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.row}: {self.field}: found {self.found}; expected {self.expected}"


class Prediction(Record):
    """What one model made of one example.

    `choice_logprobs` are natural-log likelihoods of the choices, in the order
    of `Example.choices` (empty for an open task). `text` is the greedy answer.
    `unscored` names the reason when there is no prediction at all.
    """

    example_id: str
    task: str
    model: str
    text: str = ""
    num_tokens: int = 0
    finish_reason: Literal["stop", "length", "none"] = "none"
    choice_logprobs: tuple[float, ...] = ()
    num_prompt_tokens_cut: int = 0
    """Tokens taken from the front of a prompt that was too long, where the experiment says so."""
    unscored: str | None = None


class MetricRow(Record):
    """A figure with its interval. `num_unparsed` counts answers that could not be read."""

    model: str
    task: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    num_unparsed: int = 0


class ComparisonRow(Record):
    """Two models on the same items: `difference` is b minus a, paired item by item.

    `p_value` is the test's own; `p_adjusted` is Holm's, over all comparisons of
    the same metric, and the one to decide by.
    """

    task: str
    metric: str
    a: str
    b: str
    difference: float
    low: float
    high: float
    p_value: float
    n: int
    p_adjusted: float | None = None
    test: str = ""
    verdict: str = ""
