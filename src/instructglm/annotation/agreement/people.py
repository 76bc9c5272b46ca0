"""How far one person agrees: with the others, with each of them, with themselves a round later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from instructglm.annotation.agreement.coefficient import CONFIDENCE, NUM_DRAWS, Coefficient, Sample, measure
from instructglm.annotation.agreement.distances import WEIGHTS_OF_LEVEL, distances
from instructglm.annotation.agreement.judgements import Judgements
from instructglm.annotation.agreement.table import kinds
from instructglm.annotation.agreement.two_raters import pair_sample, rater_sample
from instructglm.annotation.columns import Floats, Ints
from instructglm.core.records import Record


class PersonAgreement(Record):
    """One annotator; None: all of them. `percent` is the share of equal values, `kappa` Cohen's of the same pairs."""

    annotator: str | None
    percent: Coefficient
    kappa: Coefficient


class PairAgreement(Record):
    """Two annotators, on the items that both judged."""

    first: str
    second: str
    percent: Coefficient
    kappa: Coefficient


def agreement_with_others(
    judgements: Judgements,
    rng: np.random.Generator,
    *,
    num_draws: int = NUM_DRAWS,
    confidence: float = CONFIDENCE,
) -> tuple[PersonAgreement, ...]:
    """Each annotator against all others who judged the same items; an item counts once, its others share it.

    Annotators who share no item with anyone are left out.
    """
    latest = judgements.latest
    counts = latest.counts()
    first, _, kind_of_item = kinds(counts)
    shared = counts.sum(axis=1)[latest.item] > 1
    rows = np.stack([latest.annotator, kind_of_item[latest.item], latest.value])[:, shared]
    shape = (len(latest.annotators), len(first), len(latest.values))
    (people, kind, own), times = _tallied(rows, shape)
    distance = _distance(judgements)

    def sample(part: slice) -> Sample:
        of_item = counts[first[kind[part]]]
        sizes = of_item.sum(axis=1)
        others = (of_item - np.eye(shape[2])[own[part]]) / (sizes - 1.0)[:, None]
        return rater_sample(own[part], others, times[part], distance, int(times[part] @ sizes))

    return tuple(
        PersonAgreement(
            annotator=str(latest.annotators[person]),
            **measure(sample(part), rng, num_draws=num_draws, confidence=confidence),
        )
        for person, part in _runs(people)
    )


def agreement_of_pairs(
    judgements: Judgements,
    rng: np.random.Generator,
    *,
    max_pairs: int | None = None,
    num_draws: int = NUM_DRAWS,
    confidence: float = CONFIDENCE,
) -> tuple[PairAgreement, ...]:
    """Every two annotators who judged an item in common, or the `max_pairs` with most such items."""
    latest = judgements.latest
    names, distance = latest.annotators, _distance(judgements)
    pair, one, other, times = _pairs_within_items(latest)
    return tuple(
        PairAgreement(
            first=str(names[number // len(names)]),
            second=str(names[number % len(names)]),
            **measure(
                pair_sample(one[part], other[part], times[part], distance),
                rng,
                num_draws=num_draws,
                confidence=confidence,
            ),
        )
        for number, part in _largest(list(_runs(pair)), times, max_pairs)
    )


def agreement_with_self(
    judgements: Judgements,
    rng: np.random.Generator,
    *,
    num_draws: int = NUM_DRAWS,
    confidence: float = CONFIDENCE,
) -> tuple[PersonAgreement, ...]:
    """What people said of an item in one round against what they said in the next one in which they saw it.

    All together come first (`annotator` None), then each person with such an item; nothing where nobody has.
    """
    rows = judgements.latest_in_round
    same = (rows.item[1:] == rows.item[:-1]) & (rows.annotator[1:] == rows.annotator[:-1])
    before, after = np.flatnonzero(same), np.flatnonzero(same) + 1
    repeats = np.stack([rows.annotator[before], rows.value[before], rows.value[after]])
    num_values = len(rows.values)
    (first, second), num_pairs = _tallied(repeats[1:], (num_values, num_values))
    (people, one, other), times = _tallied(repeats, (len(rows.annotators), num_values, num_values))
    distance = _distance(judgements)
    samples: list[tuple[str | None, Sample]] = [(None, pair_sample(first, second, num_pairs, distance))]
    for number, part in _runs(people):
        of_person = pair_sample(one[part], other[part], times[part], distance)
        samples.append((str(rows.annotators[number]), of_person))
    return tuple(
        PersonAgreement(annotator=name, **measure(sample, rng, num_draws=num_draws, confidence=confidence))
        for name, sample in samples
        if sample.num_items
    )


class _PairKinds(NamedTuple):
    """Cells of the tables of all pairs, by pair: how often `one` value stood against the `other`."""

    pair: Ints  # the number of the first times how many annotators there are, and that of the second
    one: Ints
    other: Ints
    times: Floats


def _pairs_within_items(rows: Judgements) -> _PairKinds:
    """All pairs of rows of one item, tallied; `rows` are sorted by item and annotator."""
    num_people, num_values = len(rows.annotators), len(rows.values)
    keys, times = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    one, shift = np.arange(len(rows.item)), 1
    while len(one):
        one = one[one + shift < len(rows.item)]
        one = one[rows.item[one] == rows.item[one + shift]]
        other = one + shift
        pair = rows.annotator[one] * num_people + rows.annotator[other]
        found = np.unique((pair * num_values + rows.value[one]) * num_values + rows.value[other], return_counts=True)
        keys.append(found[0])
        times.append(found[1])
        shift += 1
    cells, of_part = np.unique(np.concatenate(keys), return_inverse=True)
    totals = np.bincount(of_part, np.concatenate(times), minlength=len(cells)).astype(np.float64)
    values = cells % num_values**2
    return _PairKinds(cells // num_values**2, values // num_values, values % num_values, totals)


def _tallied(rows: Ints, shape: tuple[int, ...]) -> tuple[Ints, Floats]:
    """The distinct columns of `rows` (C, N), in rising order, and how many of each; row c is below shape[c]."""
    keys, times = np.unique(np.ravel_multi_index(tuple(rows), shape), return_counts=True)
    return np.stack(np.unravel_index(keys, shape)), times.astype(np.float64)


def _runs(numbers: Ints) -> Iterator[tuple[int, slice]]:
    """Each number of a rising column with the rows in which it stands."""
    found, starts = np.unique(numbers, return_index=True)
    ends = np.append(starts, len(numbers))[1:]
    for number, start, end in zip(found.tolist(), starts.tolist(), ends.tolist(), strict=True):
        yield number, slice(start, end)


def _largest(runs: list[tuple[int, slice]], times: Floats, max_runs: int | None) -> Sequence[tuple[int, slice]]:
    """The runs that stand for most items, in their order; all of them with None."""
    if max_runs is None or len(runs) <= max_runs:
        return runs
    sizes = np.array([times[part].sum() for _, part in runs])
    return [runs[index] for index in np.sort(np.argsort(-sizes, kind="stable")[:max_runs])]


def _distance(judgements: Judgements) -> Floats:
    return distances(judgements.positions, WEIGHTS_OF_LEVEL[judgements.level])
