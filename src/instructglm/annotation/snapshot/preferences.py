"""Pairs of outputs of which people preferred one, in the field names that TRL reads.

Ranks speak first, being asked for in so many words; where an instruction has none, ratings do.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Literal, NamedTuple

from instructglm.annotation.snapshot.closed import DIGITS
from instructglm.annotation.snapshot.items import Item, Outcome
from instructglm.annotation.snapshot.scores import HIGH, LOW
from instructglm.core.records import Message, Record

NotAPair = Literal["tie", "contested", "neither_accepted"]

WHY_NOT: dict[NotAPair, str] = {
    "tie": "as many people prefer the one as the other, or none does either",
    "contested": "more people prefer the one, the score over all judgements the other",
    "neither_accepted": "the better one is not accepted itself",
}


class Preference(Record):
    """`chosen` was preferred to `rejected`, by `margin` on the measure `by`.

    By `ranks` the margin is a difference of Bradley-Terry log-strengths: log 3 is expected to win 3 times out of 4. By
    `ratings` it is one of ratings from 1 to 5. The counts are people who compared the two.
    """

    id: str
    task: str
    prompt: tuple[Message, ...]
    chosen: tuple[Message, ...]
    rejected: tuple[Message, ...]
    margin: float
    by: Literal["ranks", "ratings"]
    num_prefer_chosen: int
    num_prefer_rejected: int
    num_undecided: int
    row: str


class _Measure(NamedTuple):
    """Scores of outputs, and what each person (or person in a round) said of some: the higher the better."""

    by: Literal["ranks", "ratings"]
    scores: dict[int, float]
    voices: list[dict[int, float]]


class Pair(NamedTuple):
    """Two outputs, the better one first."""

    chosen: int
    rejected: int
    margin: float
    by: Literal["ranks", "ratings"]
    counts: tuple[int, int, int]


def pairs(item: Item, outcome: Outcome) -> Iterator[Pair | NotAPair]:
    """Every two outputs that somebody compared: the better one first, or why that cannot be told."""
    measure = _measure(item)
    accepted = {one.output for one in outcome.accepted}
    for first, second in combinations(sorted(one.id for one in item.outputs if one.id in measure.scores), 2):
        found = _pair(measure, first, second)
        if isinstance(found, Pair) and found.chosen not in accepted:
            yield "neither_accepted"
        elif found is not None:
            yield found


def _measure(item: Item) -> _Measure:
    rankings = [ranks for ranks in item.voices.rankings.values() if len(ranks) > 1]
    if rankings:
        said = [{output: -rank for output, rank in ranks.items()} for ranks in rankings]
        return _Measure("ranks", dict(item.strengths), said)
    of_person: dict[int, dict[int, float]] = {}
    for output, ratings in item.ratings.items():
        for person, share in ratings.items():
            of_person.setdefault(person, {})[output] = round(share, DIGITS)
    scores = {output: (HIGH - LOW) * share for output, share in item.quality.items()}
    return _Measure("ratings", scores, list(of_person.values()))


def _pair(measure: _Measure, first: int, second: int) -> Pair | NotAPair | None:
    """None where nobody compared the two."""
    differences = [said[first] - said[second] for said in measure.voices if first in said and second in said]
    if not differences:
        return None
    wins, losses = sum(one > 0 for one in differences), sum(one < 0 for one in differences)
    margin = round(measure.scores[first] - measure.scores[second], DIGITS)
    if wins == losses or not margin:
        return "tie"
    if (wins > losses) != (margin > 0):
        return "contested"
    ties = len(differences) - wins - losses
    if margin > 0:
        return Pair(first, second, margin, measure.by, (wins, losses, ties))
    return Pair(second, first, -margin, measure.by, (losses, wins, ties))
