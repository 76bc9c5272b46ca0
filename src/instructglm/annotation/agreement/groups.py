"""How far people agree on a group of items: all, those of a domain, of a round, of a week."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from instructglm.annotation.agreement.chance import fleiss, gwet, krippendorff, share_of_agreement
from instructglm.annotation.agreement.coefficient import CONFIDENCE, NUM_DRAWS, Coefficient, Sample, measure
from instructglm.annotation.agreement.distances import WEIGHTS_OF_LEVEL, distances
from instructglm.annotation.agreement.judgements import Judgements
from instructglm.annotation.columns import Ints
from instructglm.core.records import Record


class GroupAgreement(Record):
    """All coefficients of a group, from the same draws of items.

    `num_items` and `num_ratings` count those with one rating too. Kappa and AC count a disagreement as 1 (nominal),
    by the distance on the scale (ordinal) or the distance squared (interval). With those weights `gwet_ac` is AC2.
    """

    name: str
    num_items: int
    num_annotators: int
    num_ratings: int
    percent: Coefficient
    alpha: Coefficient
    fleiss_kappa: Coefficient
    gwet_ac: Coefficient


def agreement_of_items(
    judgements: Judgements,
    rng: np.random.Generator,
    *,
    name: str = "",
    num_draws: int = NUM_DRAWS,
    confidence: float = CONFIDENCE,
) -> GroupAgreement:
    """How far people agree on all items of `judgements`, each by their latest word."""
    return _group(judgements.latest, rng, name, num_draws, confidence)


def agreement_by(
    judgements: Judgements,
    column: Literal["domain", "round"],
    rng: np.random.Generator,
    *,
    num_draws: int = NUM_DRAWS,
    confidence: float = CONFIDENCE,
) -> tuple[GroupAgreement, ...]:
    """The agreement in each domain, by everyone's latest word, or in each round, by their last word in it."""
    if column == "domain":
        rows, of_row, names = judgements.latest, "domain", judgements.domains
    else:
        rows, of_row, names = judgements.latest_in_round, "round", judgements.rounds
    return tuple(_groups(rows, getattr(rows, of_row), names, rng, num_draws, confidence))


def agreement_over_time(
    judgements: Judgements,
    period: float,
    rng: np.random.Generator,
    *,
    num_draws: int = NUM_DRAWS,
    confidence: float = CONFIDENCE,
) -> tuple[GroupAgreement, ...]:
    """The agreement by periods of so many seconds; an item belongs to that of its last judgement.

    A period's `name` is its start in seconds; periods without a judgement are left out.
    """
    rows = judgements.latest
    last = np.full(len(rows.items), -np.inf)
    np.maximum.at(last, rows.item, rows.time)
    starts, of_row = np.unique(np.floor(last[rows.item] / period) * period, return_inverse=True)
    return tuple(_groups(rows, of_row, [f"{start:.0f}" for start in starts], rng, num_draws, confidence))


def agreement_per_item(judgements: Judgements) -> dict[Any, float]:
    """The share of pairs of people who gave equal values, for every item with two or more."""
    counts = judgements.latest.counts()
    sizes = counts.sum(axis=1)
    paired = np.flatnonzero(sizes > 1)
    equal = (counts[paired] * (counts[paired] - 1)).sum(axis=1) / (sizes[paired] * (sizes[paired] - 1))
    return {judgements.items[item]: share for item, share in zip(paired.tolist(), equal.tolist(), strict=True)}


def disagreement_per_item(judgements: Judgements) -> dict[Any, float]:
    """The mean distance of two people's values, for every item with two or more; 1 is from end to end of the scale.

    Names differ by 1, ordered values by how far they are apart on the scale (interval: that squared).
    """
    counts = judgements.latest.counts()
    sizes = counts.sum(axis=1)
    paired = np.flatnonzero(sizes > 1)
    distance = distances(judgements.positions, WEIGHTS_OF_LEVEL[judgements.level])
    sums = ((counts[paired] @ distance) * counts[paired]).sum(axis=1) / (sizes[paired] * (sizes[paired] - 1))
    return {judgements.items[item]: mean for item, mean in zip(paired.tolist(), sums.tolist(), strict=True)}


def _groups(
    rows: Judgements,
    of_row: Ints,
    names: Sequence[Any],
    rng: np.random.Generator,
    num_draws: int,
    confidence: float,
) -> Iterator[GroupAgreement]:
    for number, part in rows.parts(of_row):
        yield _group(part, rng, str(names[number]), num_draws, confidence)


def _group(
    judgements: Judgements, rng: np.random.Generator, name: str, num_draws: int, confidence: float
) -> GroupAgreement:
    table = judgements.table()
    distance = distances(table.values, WEIGHTS_OF_LEVEL[judgements.level])
    measures = {
        "percent": share_of_agreement(table),
        "alpha": krippendorff(table, judgements.level),
        "fleiss_kappa": fleiss(table, distance),
        "gwet_ac": gwet(table, distance),
    }
    sample = Sample(table.times, table.num_items, table.num_ratings, measures)
    return GroupAgreement(
        name=name,
        num_items=int(table.times.sum()),
        num_annotators=len(np.unique(judgements.annotator)),
        num_ratings=len(judgements.item),
        **measure(sample, rng, num_draws=num_draws, confidence=confidence),
    )
