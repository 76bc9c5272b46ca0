"""What people said of a project's items, as columns of numbers: a million judgements in some 60 MB."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from instructglm.annotation.columns import Floats, Ints
from instructglm.annotation.snapshot.state import State
from instructglm.annotation.store.reading import judgements
from instructglm.annotation.store.tables import Kind

KINDS = tuple(Kind)
NUMBER = {kind: number for number, kind in enumerate(KINDS)}
_OF_OUTPUTS = (Kind.RATING, Kind.RANK)


@dataclass(frozen=True)
class Said:
    """N judgements, sorted by instruction. `kind`, `criterion` and `text` are places in their lists of names.

    `output` is 0 where the judgement is of the instruction; `text` is that of labels, else -1.
    """

    instruction: Ints  # (N,)
    output: Ints  # (N,)
    annotator: Ints  # (N,)
    kind: Ints  # (N,)
    criterion: Ints  # (N,)
    value: Floats  # (N,)
    text: Ints  # (N,)
    round: Ints  # (N,)
    at_ms: Ints  # (N,)
    criteria: tuple[str, ...]
    texts: tuple[str, ...]

    def where(self, rows: Any) -> Said:
        """Those rows alone: a slice, their numbers, or N truth values."""
        columns = ("instruction", "output", "annotator", "kind", "criterion", "value", "text", "round", "at_ms")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    def of_kind(self, kind: Kind) -> Said:
        return self.where(self.kind == NUMBER[kind])

    def of(self, instruction: int) -> Said:
        """What was said of one instruction."""
        return self.where(slice(*self._places.get(instruction, (0, 0))))

    @cached_property
    def _places(self) -> dict[int, tuple[int, int]]:
        found, starts = np.unique(self.instruction, return_index=True)
        ends = np.append(starts, len(self.instruction))[1:]
        return dict(zip(found.tolist(), zip(starts.tolist(), ends.tolist(), strict=True), strict=True))


def read_said(state: State, *, with_gold: bool) -> Said:
    """Everything that holds at this state, round by round, but for comments and what was skipped."""
    names: tuple[dict[str, int], dict[str, int]] = ({}, {})  # of criteria, of labels
    kinds = [kind for kind in KINDS if kind not in (Kind.COMMENT, Kind.SKIP)]
    numbers = tuple(array(code) for code in "qqqbhiiq")
    values = array("d")
    found = judgements(state.store, state.project, kinds=kinds, as_of=state.head.number, with_gold=with_gold)
    for one in found:
        criterion = names[0].setdefault(one.criterion, len(names[0]))
        text = names[1].setdefault(one.text or "", len(names[1])) if one.kind == Kind.LABEL else -1
        row = (one.instruction, one.output or 0, one.annotator, NUMBER[Kind(one.kind)], criterion, text, one.round)
        for column, cell in zip(numbers, (*row, one.at_ms), strict=True):
            column.append(cell)
        values.append(np.nan if one.value is None else one.value)
    instruction, output, person, kind, criteria, texts, rounds, at_ms = (
        np.array(column, dtype=np.int64) for column in numbers
    )
    said = Said(
        instruction=instruction,
        output=output,
        annotator=person,
        kind=kind,
        criterion=criteria,
        value=np.array(values, dtype=np.float64),
        text=texts,
        round=rounds,
        at_ms=at_ms,
        criteria=tuple(names[0]),
        texts=tuple(names[1]),
    )
    return said.where(np.argsort(said.instruction, kind="stable"))


def latest(said: Said) -> Said:
    """Everyone's last word: on an output, that of the last round in which they judged it; on an instruction, likewise.

    Labels count by the last round in which one gave a label; a flag or a rejection of the instruction falls when its
    author answers it again without.
    """
    of_output = np.isin(said.kind, [NUMBER[kind] for kind in _OF_OUTPUTS]) | (
        (said.kind == NUMBER[Kind.REJECT]) & (said.output > 0)
    )
    label = said.kind == NUMBER[Kind.LABEL]
    of_item = (said.kind == NUMBER[Kind.FLAG]) | ((said.kind == NUMBER[Kind.REJECT]) & (said.output == 0))
    keep = np.ones(len(said.kind), dtype=bool)
    keep &= ~of_output | _is_last(said, said.output, of_output)
    keep &= ~label | _is_last(said, said.instruction, label)
    keep &= ~of_item | _is_last(said, said.instruction, np.ones_like(keep))
    return said.where(keep)


def _is_last(said: Said, thing: Ints, among: Any) -> Any:
    """Whether a row is of the last round in which its annotator said something of the thing, `among` those rows."""
    if not len(thing):
        return np.ones(0, dtype=bool)
    _, pair = np.unique(thing * (said.annotator.max() + 1) + said.annotator, return_inverse=True)
    last = np.zeros(pair.max() + 1, dtype=np.int64)
    np.maximum.at(last, pair[among], said.round[among])
    return said.round == last[pair]
