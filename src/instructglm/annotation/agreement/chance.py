"""What disagreement each coefficient sees, and what it expects of chance, for any number of raters an item.

K. L. Gwet, "Handbook of Inter-Rater Reliability" (4th ed., 2014), chapters 2
to 5, has all of them in one notation, for missing ratings and weights too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from instructglm.annotation.agreement.coefficient import Measure
from instructglm.annotation.agreement.distances import Level
from instructglm.annotation.agreement.table import Table
from instructglm.annotation.columns import Floats


def share_of_agreement(table: Table) -> Measure:
    """Pairs of raters with equal values, averaged over items; nothing is expected of chance."""
    observed = _mean_over_items(table, 1.0 - np.eye(len(table.values)))
    return lambda weights: (observed(weights), np.ones(len(weights)))


def fleiss(table: Table, distance: Floats) -> Measure:
    """Chance deals the values in the proportions in which all raters used them.

    J. L. Fleiss, "Measuring nominal scale agreement among many raters", 1971; with two raters, W. A. Scott's pi, 1955.
    A value's proportion is the mean over items of its share of the item's ratings; single ratings count there.
    """
    observed = _mean_over_items(table, distance)

    def both(weights: Floats) -> tuple[Floats, Floats]:
        used = _proportions(table, weights)
        return observed(weights), ((used @ distance) * used).sum(axis=1)

    return both


def gwet(table: Table, distance: Floats) -> Measure:
    """AC1, and with weights AC2: chance agrees on hard items alone, which are rarer the more one value prevails.

    K. L. Gwet, "Computing inter-rater reliability and its variance in the presence of high agreement", 2008.
    """
    observed = _mean_over_items(table, distance)
    num_values = len(table.values)
    closeness = float((1.0 - distance).sum()) / max(1, num_values * (num_values - 1))

    def both(weights: Floats) -> tuple[Floats, Floats]:
        used = _proportions(table, weights)
        return observed(weights), 1.0 - closeness * (used * (1.0 - used)).sum(axis=1)

    return both


def krippendorff(table: Table, level: Level) -> Measure:
    """Chance deals the very ratings of the items to them at random, without replacement."""
    counts = table.counts * table.pairable[:, None]
    sizes = counts.sum(axis=1)
    sums = _SUMS[level](table.values, counts, 1.0 / np.maximum(sizes - 1.0, 1.0))

    def both(weights: Floats) -> tuple[Floats, Floats]:
        totals = weights @ sizes
        within, between = sums(weights, weights @ counts)
        # A draw without any pair has no coefficient; a total of 2 keeps it from dividing by 0.
        return within / np.maximum(totals, 1.0), between / np.maximum(totals * (totals - 1.0), 1.0)

    return both


def _mean_over_items(table: Table, distance: Floats) -> Callable[[Floats], Floats]:
    """The mean distance of two ratings of an item, averaged over items with two or more."""
    pairs = np.maximum(table.sizes * (table.sizes - 1.0), 1.0)
    of_item = ((table.counts @ distance) * table.counts).sum(axis=1) / pairs * table.pairable

    def mean(weights: Floats) -> Floats:
        num_items = weights @ table.pairable
        return np.asarray((weights @ of_item) / np.where(num_items > 0.0, num_items, np.nan))

    return mean


def _proportions(table: Table, weights: Floats) -> Floats:
    """How common each value is in each draw: (D, V)."""
    shares = table.counts / table.sizes[:, None]
    return np.asarray(weights @ shares / weights.sum(axis=1, keepdims=True))


# --- sums over pairs of ratings, by level -------------------------------------------------------------------------
_Sums = Callable[[Floats, Floats], tuple[Floats, Floats]]
"""From weights (D, K) and marginal counts (D, V) to disagreement within items and among all ratings, (D,) each."""
_SAME = 1e-12  # of the largest sum of squares: below it, a difference is rounding


def _nominal(values: Floats, counts: Floats, share: Floats) -> _Sums:
    within = (counts.sum(axis=1) ** 2 - (counts**2).sum(axis=1)) * share
    return lambda weights, marginals: (weights @ within, marginals.sum(axis=1) ** 2 - (marginals**2).sum(axis=1))


def _interval(values: Floats, counts: Floats, share: Floats) -> _Sums:
    middle = values[len(values) // 2] if len(values) else 0.0
    centred = values - middle  # a scale far from zero would lose digits below
    within = _squared_differences(counts, centred) * share

    def sums(weights: Floats, marginals: Floats) -> tuple[Floats, Floats]:
        between = _squared_differences(marginals, centred)
        largest = marginals.sum(axis=1) ** 2 * np.max(centred**2, initial=0.0)
        return weights @ within, np.where(between > _SAME * largest, between, 0.0)

    return sums


def _ordinal(values: Floats, counts: Floats, share: Floats) -> _Sums:
    """Two values differ by their mid-ranks among all ratings: the interval sums, on each draw's own ranks."""

    def sums(weights: Floats, marginals: Floats) -> tuple[Floats, Floats]:
        ranks = np.cumsum(marginals, axis=1) - marginals / 2.0  # (D, V)
        within = [row @ _squared_differences(counts, rank) for row, rank in zip(weights * share, ranks, strict=True)]
        return np.array(within), _squared_differences(marginals, ranks)

    return sums


_SUMS: Mapping[Level, Callable[[Floats, Floats, Floats], _Sums]] = {
    "nominal": _nominal,
    "ordinal": _ordinal,
    "interval": _interval,
}


def _squared_differences(counts: Floats, positions: Floats) -> Floats:
    """Sum of (x - y)^2 over all ordered pairs of the values counted in each row."""
    return np.asarray(2.0 * (counts.sum(axis=-1) * np.vecdot(counts, positions**2) - np.vecdot(counts, positions) ** 2))
