"""Agreement of one rater with another, or with all others taken together.

J. Cohen, "A coefficient of agreement for nominal scales", 1960, and with
weights, 1968: chance lets each rater use the values as often as they did. A
rater against several others is H. J. A. Schouten's, "Measuring pairwise
interobserver agreement when all subjects are judged by the same observers",
1982: an item counts once, its other raters share it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from instructglm.annotation.agreement.coefficient import CONFIDENCE, NUM_DRAWS, Coefficient, Measure, Sample, measure
from instructglm.annotation.agreement.distances import Weights, distances
from instructglm.annotation.agreement.several_raters import fleiss_kappa
from instructglm.annotation.columns import Floats, Ints


def cohen_kappa(
    first: Sequence[float | None],
    second: Sequence[float | None],
    rng: np.random.Generator,
    *,
    weights: Weights = "identity",
    num_draws: int = NUM_DRAWS,
    confidence: float = CONFIDENCE,
) -> Coefficient:
    """Cohen's kappa of two raters of the same items, in the same order; None where one did not rate.

    Raises:
        ValueError: the two lists differ in length, or a rating is not a finite number.
    """
    one, other = _rated_by_both(first, second)
    values, codes = np.unique(np.concatenate([one, other]), return_inverse=True)
    kinds, times = np.unique(codes[: len(one)] * max(1, len(values)) + codes[len(one) :], return_counts=True)
    sample = pair_sample(*np.divmod(kinds, max(1, len(values))), times.astype(float), distances(values, weights))
    return measure(sample, rng, num_draws=num_draws, confidence=confidence)["kappa"]


def scott_pi(
    first: Sequence[float | None],
    second: Sequence[float | None],
    rng: np.random.Generator,
    *,
    num_draws: int = NUM_DRAWS,
    confidence: float = CONFIDENCE,
) -> Coefficient:
    """Scott's pi: as Cohen's kappa, but chance uses the values as often as both together did.

    Raises:
        ValueError: the two lists differ in length, or a rating is not a finite number.
    """
    both = np.stack(_rated_by_both(first, second), axis=1)
    return fleiss_kappa(both.tolist(), rng, num_draws=num_draws, confidence=confidence)


def pair_sample(one: Ints, other: Ints, times: Floats, distance: Floats) -> Sample:
    """Items of K kinds, to which one rater gave the values of numbers `one` and another those of `other`, (K,) each.

    The share of equal values is measured as `percent`, Cohen's kappa as `kappa`.
    """
    return rater_sample(one, np.eye(len(distance))[other], times, distance, int(2 * times.sum()))


def rater_sample(own: Ints, others: Floats, times: Floats, distance: Floats, num_ratings: int) -> Sample:
    """Items of K kinds, to which one rater gave the values of numbers `own`, (K,).

    `others` (K, V) are the shares of the values among the other raters. What is measured is that of `pair_sample`.
    """
    measures = {
        "percent": _share(1.0 - others[np.arange(len(own)), own]),
        "kappa": _cohen(np.eye(len(distance))[own], others, distance),
    }
    return Sample(times, int(times.sum()), num_ratings, measures)


def _share(unequal: Floats) -> Measure:
    return lambda weights: (weights @ unequal / weights.sum(axis=1), np.ones(len(weights)))


def _cohen(own: Floats, others: Floats, distance: Floats) -> Measure:
    apart = ((own @ distance) * others).sum(axis=1)

    def both(weights: Floats) -> tuple[Floats, Floats]:
        num_items = weights.sum(axis=1)
        expected = ((weights @ own @ distance) * (weights @ others)).sum(axis=1)
        return weights @ apart / num_items, expected / num_items**2

    return both


def _rated_by_both(first: Sequence[float | None], second: Sequence[float | None]) -> tuple[Floats, Floats]:
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    table = np.array(pairs, dtype=float).reshape(-1, 2)
    if not np.isfinite(table).all():
        raise ValueError("a rating is not a finite number; write None for a missing one")
    return table[:, 0], table[:, 1]
