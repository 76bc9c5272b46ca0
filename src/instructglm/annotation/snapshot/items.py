"""One instruction with its outputs and all that was said of them, ready to be decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from instructglm.annotation.snapshot.ledger import LeftOut, Reason
from instructglm.annotation.snapshot.said import NUMBER, Said
from instructglm.annotation.snapshot.scores import on_scale
from instructglm.annotation.snapshot.state import Verdict
from instructglm.annotation.store.reading import StoredInstruction, StoredOutput
from instructglm.annotation.store.tables import Kind


class Voices(NamedTuple):
    """Who said what of an instruction, by annotators' ids. `people` answered it; a flag alone is no answer."""

    people: frozenset[int]
    num_labels: int
    flagged_by: frozenset[int]
    rejected_by: frozenset[int]
    rejections: Mapping[int, set[int]]
    """Output -> who rejected it."""
    rankings: Mapping[tuple[int, int], dict[int, float]]
    """(Annotator, round) -> output -> rank."""


def voices_of(said: Said) -> Voices:
    """The voices in the judgements of one instruction."""
    people: set[int] = set()
    flags: set[int] = set()
    rejects: set[int] = set()
    rejections: dict[int, set[int]] = {}
    rankings: dict[tuple[int, int], dict[int, float]] = {}
    columns = (said.kind, said.annotator, said.output, said.value, said.round)
    for kind, person, output, value, number in zip(*(column.tolist() for column in columns), strict=True):
        if kind == NUMBER[Kind.FLAG]:
            flags.add(person)
            continue
        people.add(person)
        if kind == NUMBER[Kind.REJECT]:
            (rejections.setdefault(output, set()) if output else rejects).add(person)
        elif kind == NUMBER[Kind.RANK]:
            rankings.setdefault((person, number), {})[output] = value
    num_labels = int((said.kind == NUMBER[Kind.LABEL]).sum())
    return Voices(frozenset(people), num_labels, frozenset(flags), frozenset(rejects), rejections, rankings)


@dataclass(frozen=True)
class Item:
    """An instruction before the decision. `ratings` and `quality` are of its outputs, as shares of the scale."""

    instruction: StoredInstruction
    outputs: tuple[StoredOutput, ...]
    voices: Voices
    verdict: Verdict | None
    is_gold: bool
    known_label: str | None
    ratings: Mapping[int, Mapping[int, float]]
    quality: Mapping[int, float]
    strengths: Mapping[int, float]

    def judges_of(self, output: int) -> set[int]:
        """Who rated, ranked or rejected an output."""
        ranked = {person for (person, _), ranks in self.voices.rankings.items() if output in ranks}
        return {*self.ratings.get(output, ()), *ranked, *self.voices.rejections.get(output, ())}


class Accepted(NamedTuple):
    """An answer that is in. `output` is None for a label, `person` who wrote it, `ratings` from 1 to 5."""

    text: str
    weight: float
    origin: str
    output: int | None = None
    person: int | None = None
    ratings: tuple[float, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of an instruction: its accepted answers (none: it is out) and what was left out of it, and why."""

    accepted: tuple[Accepted, ...] = ()
    decided_by: str = ""
    """`reviewer`, `gold` or `people`."""
    confidence: float | None = None
    left_out: list[LeftOut] = field(default_factory=list)


def out(item: Item, reason: Reason, detail: str = "", outputs: Mapping[int, Reason] | None = None) -> Outcome:
    """An instruction that is not in, nor any of its outputs; `outputs` have reasons of their own."""
    reasons = {one.id: (outputs or {}).get(one.id, "instruction_out") for one in item.outputs}
    whole = LeftOut(instruction=item.instruction.id, reason=reason, detail=detail)
    return Outcome(left_out=[whole, *outputs_out(item, reasons)])


def outputs_out(item: Item, reasons: Mapping[int, Reason]) -> list[LeftOut]:
    """Outputs that are not in, in the order of their numbers."""
    number = item.instruction.id
    return [
        LeftOut(instruction=number, output=one, reason=reason, detail=_detail(item, one, reason))
        for one, reason in sorted(reasons.items())
    ]


def _detail(item: Item, output: int, reason: Reason) -> str:
    if reason == "rated_low":
        return f"{on_scale(item.quality[output]):.2f} on a scale from 1 to 5"
    if reason == "rejected":
        return f"by {len(item.voices.rejections[output])} of {len(item.judges_of(output))}"
    return ""
