"""What people of a project were asked, and what they said to each question, in one pass over the store.

A label is given to an instruction, a rating by one criterion to an output, and
of a ranking every pair of outputs counts: which of the two is better.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from instructglm.annotation.agreement import Judgements, Level
from instructglm.annotation.columns import Floats, Ints
from instructglm.annotation.store.projects import Scale
from instructglm.annotation.store.reading import Judgement
from instructglm.annotation.store.tables import Kind

QuestionKind = Literal["label", "rating", "rank"]

_WIDEST_SCALE = 100  # marks; of a wider scale only those that were given count as possible


class Question(NamedTuple):
    """One thing that was asked; `criterion` of ratings alone."""

    kind: QuestionKind
    criterion: str = ""


@dataclass
class Rows:
    """What was said to one question, column by column: a million rows take some 60 MB."""

    instruction: array[int] = field(default_factory=lambda: array("q"))
    output: array[int] = field(default_factory=lambda: array("q"))
    annotator: array[int] = field(default_factory=lambda: array("q"))
    number: array[float] = field(default_factory=lambda: array("d"))
    text: list[str] = field(default_factory=list)  # of labels
    domain: list[str] = field(default_factory=list)
    round: array[int] = field(default_factory=lambda: array("q"))
    at_ms: array[int] = field(default_factory=lambda: array("q"))

    def add(self, said: Judgement) -> None:
        """A row with its value."""
        self.note(said)
        self.output.append(said.output or 0)
        if said.value is None:
            self.text.append(said.text or "")
        else:
            self.number.append(said.value)

    def note(self, said: Judgement) -> None:
        """A row without: that somebody said something of the instruction."""
        self.instruction.append(said.instruction)
        self.annotator.append(said.annotator)
        self.domain.append(said.domain)
        self.round.append(said.round)
        self.at_ms.append(said.at_ms)

    def ints(self, name: str) -> Ints:
        """A column as an array: (N,)."""
        return np.array(getattr(self, name), dtype=np.int64)


class Rejected(NamedTuple):
    """Somebody would not have this output used (0: the instruction itself)."""

    instruction: int
    output: int
    annotator: int


@dataclass
class Said:
    """All that was said in a project. `answered` has a row for each answer, whatever it held."""

    rows: dict[Question, Rows] = field(default_factory=dict)
    answered: Rows = field(default_factory=Rows)
    rejected: set[Rejected] = field(default_factory=set)


def collect(found: Iterable[Judgement]) -> Said:
    """What was said, by question, of judgements that come answer by answer; what was skipped was not answered."""
    said = Said()
    last: tuple[int, int, int] | None = None
    for one in found:
        if one.kind == Kind.SKIP:
            continue
        if (answer := (one.instruction, one.annotator, one.round)) != last:
            said.answered.note(one)
            last = answer
        if one.kind in (Kind.LABEL, Kind.RATING, Kind.RANK):
            said.rows.setdefault(Question(one.kind, one.criterion), Rows()).add(one)  # type: ignore[arg-type]
        elif one.kind == Kind.REJECT:
            said.rejected.add(Rejected(one.instruction, one.output or 0, one.annotator))
    return said


@dataclass(frozen=True)
class Asked:
    """A question with what was said to it; `instruction[i]` is the instruction of item i of the judgements."""

    question: Question
    judgements: Judgements
    instruction: Ints  # (I,)


def asked(question: Question, rows: Rows, scale: Scale | None) -> Asked:
    """What was said to a question, for the figures of agreement: labels are names, ratings and preferences ordered."""
    if question.kind == "rank":
        return _preferences(question, rows)
    is_label = question.kind == "label"
    item = rows.ints("instruction" if is_label else "output")
    value: Any = rows.text if is_label else np.array(rows.number)
    values = None if is_label else _marks(np.array(rows.number), scale)
    return _asked(question, item, rows.ints("instruction"), _Columns.of(rows), value, values)


class _Columns(NamedTuple):
    """The columns that do not depend on the question."""

    annotator: Ints
    domain: Any
    round: Ints
    time: Floats

    @classmethod
    def of(cls, rows: Rows) -> _Columns:
        domain = np.array(rows.domain, dtype=object)
        return cls(rows.ints("annotator"), domain, rows.ints("round"), rows.ints("at_ms") / 1000.0)

    def at(self, places: Ints) -> _Columns:
        return _Columns(self.annotator[places], self.domain[places], self.round[places], self.time[places])


def _asked(
    question: Question, item: Ints, instruction: Ints, columns: _Columns, value: Any, values: list[float] | None
) -> Asked:
    level: Level = "nominal" if question.kind == "label" else "ordinal"
    judgements = Judgements.of(
        item,
        columns.annotator,
        value,
        level=level,
        domain=columns.domain,
        round=columns.round,
        time=columns.time,
        values=values,
    )
    _, first = np.unique(item, return_index=True)
    return Asked(question, judgements, instruction[first])


def _marks(given: Floats, scale: Scale | None) -> list[float] | None:
    """All marks that could be given, in rising order: chance depends on how many there are."""
    if scale is None or scale.high - scale.low > _WIDEST_SCALE:
        return None
    return sorted({*map(float, range(scale.low, scale.high + 1)), *given.tolist()})


def _preferences(question: Question, rows: Rows) -> Asked:
    """Every pair of outputs of every ranking: 1 where the older output is the better, 0 for a tie, -1."""
    instruction, person, round = (rows.ints(name) for name in ("instruction", "annotator", "round"))
    outputs, output = np.unique(rows.ints("output"), return_inverse=True)
    order = np.lexsort((output, round, person, instruction))
    ranking = np.stack([instruction, person, round])[:, order]
    starts = np.flatnonzero(np.r_[True, (ranking[:, 1:] != ranking[:, :-1]).any(axis=0)])
    one, other = _pairs(np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(order)])))
    one, other = order[one], order[other]
    rank = np.array(rows.number)
    value = np.sign(rank[other] - rank[one])
    item = output[one] * len(outputs) + output[other]
    return _asked(question, item, instruction[one], _Columns.of(rows).at(one), value, [-1.0, 0.0, 1.0])


def _pairs(group: Ints) -> tuple[Ints, Ints]:
    """The places of all pairs within runs of equal numbers."""
    ones, others = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    one, shift = np.arange(len(group)), 1
    while len(one):
        one = one[one + shift < len(group)]
        one = one[group[one] == group[one + shift]]
        ones.append(one)
        others.append(one + shift)
        shift += 1
    return np.concatenate(ones), np.concatenate(others)
