"""What every exchange format is read into and written from: an instruction with its outputs and the answers to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pydantic import ValidationError

from instructglm.annotation.queue.answers import Answer, Edit, OutputRank, OutputRating, Rejection
from instructglm.annotation.store.incoming import NewInstruction
from instructglm.core.records import Fault, Record


class GivenOutput(NamedTuple):
    """An output in a file. `origin` None: the file does not say, and one of the same text is the same.

    `person` is its author by name, `edited_from` the place among the entry's outputs of the one it was made from.
    """

    text: str
    origin: str | None = None
    model: str = ""
    person: str | None = None
    round: int | None = None
    edited_from: int | None = None


class Said(Record):
    """What an answer says, as an `Answer` does; every `output` is a place among the entry's outputs.

    `written` and `edits` are the places of the outputs that the answer brought.
    """

    written: tuple[int, ...] = ()
    edits: tuple[int, ...] = ()
    ratings: tuple[OutputRating, ...] = ()
    ranks: tuple[OutputRank, ...] = ()
    label: str | None = None
    rejected: tuple[Rejection, ...] = ()
    flag: str | None = None
    comment: str | None = None
    skip: str | None = None

    @property
    def is_empty(self) -> bool:
        return self == Said()


class GivenAnswer(NamedTuple):
    """What one person said of an entry in one save. `at_ms` None: the file does not say when."""

    person: str
    said: Said
    round: int = 1
    guideline: int | None = None
    at_ms: int | None = None
    took_ms: int = 0


class Entry(NamedTuple):
    """An instruction at its place in a file. Where `outputs` are given, `held` has none."""

    place: str
    held: NewInstruction
    outputs: tuple[GivenOutput, ...] = ()
    answers: tuple[GivenAnswer, ...] = ()


class Leftover(Record):
    """Something in a file that the store has no place for."""

    row: str
    field: str
    found: str

    def __str__(self) -> str:
        return f"{self.row}: {self.field}: {self.found}"


class GuidelineText(Record):
    """A version of a guideline that answers of a file name."""

    version: int
    text: str


Read = Entry | Fault | Leftover | GuidelineText
"""What a format makes of the rows of a file."""


def as_answer(said: Said, outputs: Sequence[GivenOutput], ids: Sequence[int]) -> Answer:
    """The answer that the store holds, where `ids` are those of the entry's outputs, by place.

    Raises:
        ValidationError: it says nothing, or one thing twice, or skips and says something.
    """
    edits = [outputs[place] for place in said.edits]
    return Answer(
        written=tuple(outputs[place].text for place in said.written),
        edits=tuple(Edit(output=ids[one.edited_from or 0], text=one.text) for one in edits),
        ratings=tuple(one.model_copy(update={"output": ids[one.output]}) for one in said.ratings),
        ranks=tuple(one.model_copy(update={"output": ids[one.output]}) for one in said.ranks),
        label=said.label,
        rejected=tuple(
            one if one.output is None else one.model_copy(update={"output": ids[one.output]}) for one in said.rejected
        ),
        flag=said.flag,
        comment=said.comment,
        skip=said.skip,
    )


def faults_in(entry: Entry, field: str = "answers") -> Iterator[Fault]:
    """What does not hold together in an entry: places that are none, answers that say nothing or one thing twice."""
    num = len(entry.outputs)
    edited = [(place, one.edited_from) for place, one in enumerate(entry.outputs) if one.edited_from is not None]
    if loose := [(place, source) for place, source in edited if not 0 <= source < place]:
        place, source = loose[0]
        yield _fault(entry, f"outputs.{place}.edited_from", str(source), "an output before this one")
        return
    for number, answer in enumerate(entry.answers):
        where = f"{field}.{number}"
        wrong = sorted({place for place in _places(answer.said) if not 0 <= place < num})
        if wrong:
            yield _fault(entry, where, f"output {wrong[0]}", f"one of the {num} outputs, from 0")
        elif fault := _unsayable(answer.said, entry.outputs):
            yield _fault(entry, where, *fault)


def _fault(entry: Entry, field: str, found: str, expected: str) -> Fault:
    return Fault(row=entry.place, field=field, found=found, expected=expected)


def _places(said: Said) -> Iterator[int]:
    yield from (*said.written, *said.edits)
    yield from (one.output for one in said.ratings)
    yield from (one.output for one in said.ranks)
    yield from (one.output for one in said.rejected if one.output is not None)


def _unsayable(said: Said, outputs: Sequence[GivenOutput]) -> tuple[str, str] | None:
    if loose := [place for place in said.edits if outputs[place].edited_from is None]:
        return f"output {loose[0]}, edited from nothing", "edits that know what they were made from"
    try:
        as_answer(said, outputs, range(len(outputs)))
    except ValidationError as error:
        return "an answer that cannot be", str(error.errors()[0]["msg"]).removeprefix("Value error, ")
    return None
