"""Is model b better than model a on the same items, and how sure that is.

Both answered the same items, so the items' own difficulty cancels out: what
counts is where the two differ. An unpaired test would throw that away.

Shares of items (accuracy): McNemar's exact test, and the score interval of
Tango (1998) for the difference, which keeps its coverage where few items
differ. Every other figure: a paired bootstrap interval, and a permutation test
in which the two models' answers change places item by item. Where items share
clusters both are done by cluster, for shares as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from instructglm.core.errors import RunError
from instructglm.core.proportions import Interval, normal_quantile
from instructglm.evaluation.intervals import (
    Figure,
    Floats,
    by_cluster,
    kinds,
    percentiles,
    resampled_sums,
)

MCNEMAR = "McNemar exact"
PERMUTATION = "paired permutation"
CLUSTERED = "paired permutation by cluster"
_POWER_QUANTILE = 0.8416212335729143  # of the normal at 0.8, the power of `detectable`
_ROUNDING = 1e-12
_BESIDE = 1e-9
_MAX_NAMED = 5


class Paired(NamedTuple):
    """`difference` is b minus a; `detectable` is the smallest one that would be seen with a chance of 0.8."""

    difference: float
    low: float
    high: float
    p_value: float
    n: int
    test: str
    detectable: float


class Resampling(NamedTuple):
    """How intervals and p-values are drawn."""

    num_resamples: int
    confidence: float
    generator: np.random.Generator


def check_same_items(a: Sequence[str], b: Sequence[str], what: str) -> None:
    """See that two models answered the same items.

    Raises:
        RunError: they did not; names the items that only one answered.
    """
    faults = [
        f"{what}: only the {which} model has {len(only)} item(s): {', '.join(only[:_MAX_NAMED])}"
        + (", ..." if len(only) > _MAX_NAMED else "")
        for which, only in (("first", sorted(set(a) - set(b))), ("second", sorted(set(b) - set(a))))
        if only
    ]
    if faults:
        raise RunError(*faults, hint="Only answers to the same items can be compared: predict both models again.")


# --- shares of items -----------------------------------------------------------------------------------------------
def compare_shares(a: Sequence[bool], b: Sequence[bool], groups: Sequence[str], how: Resampling) -> Paired:
    """Compare two shares of items, given which items each model got right."""
    right_a, right_b = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    if len(set(groups)) < len(right_a):
        ones = np.ones(len(right_a))
        return compare_figures(np.stack([right_a, ones], 1), np.stack([right_b, ones], 1), mean, groups, how)
    gained, lost, n = int((right_b & ~right_a).sum()), int((right_a & ~right_b).sum()), len(right_a)
    low, high = tango(gained, lost, n, how.confidence)
    return Paired(
        (gained - lost) / n,
        low,
        high,
        mcnemar(gained, lost),
        n,
        MCNEMAR,
        detectable_share(gained + lost, n, how.confidence),
    )


def mean(sums: Floats) -> Floats:
    """Mean from sums (..., 2) of values and of ones; a figure for `compare_figures` and `bootstrap`."""
    return np.asarray(sums[..., 0] / np.maximum(sums[..., 1], 1.0))


def mcnemar(gained: int, lost: int) -> float:
    """Exact two-sided p-value (McNemar, 1947): items on which the models differ fall either way like a coin."""
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def tango(gained: float, lost: float, n: float, confidence: float) -> Interval:
    """Score interval of the paired difference (gained - lost) / n (Tango, 1998); [-1, 1] where n is 0."""
    if n <= 0:
        return Interval(-1.0, 1.0)
    from scipy.optimize import brentq

    difference, z = (gained - lost) / n, normal_quantile(confidence)

    def excess(delta: float) -> float:
        return (gained - lost - n * delta) ** 2 - z * z * _score_variance(gained, lost, n, delta)

    # At the difference itself the excess is at most 0; beside it, below 0 even where no item differs.
    low = brentq(excess, -1.0, difference - _BESIDE) if difference - _BESIDE > -1.0 else -1.0
    high = brentq(excess, difference + _BESIDE, 1.0) if difference + _BESIDE < 1.0 else 1.0
    return Interval(float(low), float(high))


def _score_variance(gained: float, lost: float, n: float, delta: float) -> float:
    """Variance of gained - lost when the true difference is `delta`, the rest at its likeliest."""
    linear = (2 * n - gained + lost) * delta - gained - lost
    root = np.sqrt(max(linear**2 + 8 * n * lost * delta * (1 - delta), 0.0))
    share_lost = (root - linear) / (4 * n)
    return float(n * max(2 * share_lost + delta * (1 - delta), 0.0))


def detectable_share(num_differing: int, n: int, confidence: float) -> float:
    """The difference of shares seen with a chance of 0.8, at the observed number of items on which models differ.

    Where none differs, one is taken: none in n does not mean never.
    """
    reach = normal_quantile(confidence) + _POWER_QUANTILE
    return float(min(1.0, reach * np.sqrt(max(num_differing, 1) / n / (n + reach**2))))


# --- any figure ----------------------------------------------------------------------------------------------------
def compare_figures(a: Floats, b: Floats, figure: Figure, groups: Sequence[str], how: Resampling) -> Paired:
    """Compare a figure between 0 and 1 made from summed contributions (N, F) of the items.

    With fewer than two items, or clusters, nothing can be claimed: [-1, 1] and p = 1.
    """
    test = CLUSTERED if len(set(groups)) < len(a) else PERMUTATION
    rows_a, rows_b = by_cluster(a, groups), by_cluster(b, groups)
    difference = float(figure(rows_b.sum(0)) - figure(rows_a.sum(0)))
    if len(rows_a) < 2:
        return Paired(difference, -1.0, 1.0, 1.0, len(a), test, 1.0)
    low, high = _paired_interval(rows_a, rows_b, figure, how)
    z = normal_quantile(how.confidence)
    detectable = min(1.0, (high - low) / (2 * z) * (z + _POWER_QUANTILE))
    return Paired(difference, low, high, permutation(rows_a, rows_b, figure, how), len(a), test, detectable)


def _paired_interval(a: Floats, b: Floats, figure: Figure, how: Resampling) -> Interval:
    width, n = a.shape[1], len(a)
    draws = np.concatenate(
        [
            figure(sums[:, width:]) - figure(sums[:, :width])
            for sums in resampled_sums(np.concatenate([a, b], axis=1), how.num_resamples, how.generator)
        ]
    )
    if np.ptp(draws) > _ROUNDING:
        return percentiles(draws, how.confidence, n)
    return tango(n * max(draws[0], 0.0), n * max(-draws[0], 0.0), n, how.confidence)


def permutation(a: Floats, b: Floats, figure: Figure, how: Resampling) -> float:
    """Two-sided p-value of `figure(b) - figure(a)` when the models' answers change places at random.

    (1 + as extreme) / (1 + draws): never 0, because the data themselves are one of the arrangements
    (Phipson and Smyth, 2010). Rows are exchanged whole, be they items or clusters.
    """
    total_a, total_b = a.sum(axis=0), b.sum(axis=0)
    observed = abs(float(figure(total_b) - figure(total_a)))
    changes, times = kinds(b - a)
    extreme = 0
    block = max(1, 1_000_000 // max(changes.shape))
    for start in range(0, how.num_resamples, block):
        num_draws = min(block, how.num_resamples - start)
        moved = how.generator.binomial(times, 0.5, size=(num_draws, len(times))) @ changes
        drawn = np.abs(figure(total_b - moved) - figure(total_a + moved))
        extreme += int((drawn >= observed - _ROUNDING).sum())
    return (1 + extreme) / (1 + how.num_resamples)
