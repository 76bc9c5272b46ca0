"""How far a figure can be trusted.

Proportions have Wilson's score interval. For any other figure between 0 and 1
a bootstrap over items says how much it varies, and so how many items of a
plain proportion it is worth; the interval is Wilson's at that number. The
plain percentiles of the draws cover too rarely near the ends: with 30 items
and a true macro F1 of 0.95 a nominal 95 % held the truth 67 times in 100, this
one 96 times.

Where items share a cluster (cuts of one document are not independent) the
clusters are drawn. With fewer than two of them nothing is known: [0, 1].
When every draw gives the same figure, a cluster counts as one item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from instructglm.core.proportions import Interval, score_interval, wilson

Floats = NDArray[np.float64]
Figure = Callable[[Floats], Floats]
"""From summed contributions (..., F) to figures (...,)."""
_BLOCK = 1_000_000  # numbers in memory at once: 8 MB, which also fits a processor's cache
_FEW_KINDS = 128  # up to here multinomial counts are drawn faster than items


# --- proportions ---------------------------------------------------------------------------------------------------
def proportion(hits: Sequence[bool] | NDArray[np.bool_], groups: Sequence[str], confidence: float) -> Interval:
    """Interval of the share of hits: Wilson's, at the number of items that the clusters are worth."""
    values = np.asarray(hits, dtype=np.float64)
    if not values.size:
        return Interval(0.0, 1.0)
    share = float(values.mean())
    n = values.size / design_effect(values, groups)
    return wilson(share * n, n, confidence)


def design_effect(values: Floats, groups: Sequence[str]) -> float:
    """How many times the variance of the mean grows because items share clusters (Kish, 1965); at least 1.

    Where all values are equal nothing can be estimated: then a cluster counts as one item.
    """
    sums = by_cluster(np.stack([values, np.ones_like(values)], axis=1), groups)  # (G, 2)
    num_clusters, n, mean = len(sums), values.size, values.mean()
    simple = values.var() / n
    if num_clusters == n:
        return 1.0
    if num_clusters < 2 or simple == 0.0:
        return n / num_clusters
    residuals = sums[:, 0] - mean * sums[:, 1]
    clustered = num_clusters / (num_clusters - 1) * np.sum(residuals**2) / n**2
    return max(1.0, float(clustered / simple))


# --- bootstrap -----------------------------------------------------------------------------------------------------
def by_cluster(contributions: Floats, groups: Sequence[str]) -> Floats:
    """The contributions (N, F) of items, summed over each group: (G, F)."""
    names, index = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    sums = np.zeros((len(names), contributions.shape[1]))
    np.add.at(sums, index, contributions)
    return sums


def kinds(rows: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """The distinct rows and how often each occurs: equal items need not be drawn one by one."""
    distinct, times = np.unique(rows, axis=0, return_counts=True)
    return distinct, times.astype(np.int64)


def resampled_sums(rows: Floats, num_resamples: int, generator: np.random.Generator) -> Iterator[Floats]:
    """Sums (B, F) of rows drawn with replacement, in blocks that together make `num_resamples`."""
    distinct, times = kinds(rows)
    if len(distinct) > _FEW_KINDS:
        distinct, times = rows, np.ones(len(rows), dtype=np.int64)
    block = max(1, _BLOCK // max(distinct.shape))
    for start in range(0, num_resamples, block):
        yield _drawn(times, min(block, num_resamples - start), generator) @ distinct


def _drawn(times: NDArray[np.int64], num_draws: int, generator: np.random.Generator) -> Floats:
    """How often each kind is drawn, (num_draws, kinds), when as many are drawn as there are."""
    n, size = int(times.sum()), len(times)
    if size <= _FEW_KINDS:
        return generator.multinomial(n, times / n, size=num_draws).astype(np.float64)
    drawn = generator.integers(0, size, size=(num_draws, n), dtype=np.int32)
    drawn += np.arange(num_draws, dtype=np.int32)[:, None] * size
    return np.bincount(drawn.ravel(), minlength=num_draws * size).reshape(num_draws, size).astype(np.float64)


def bootstrap(
    contributions: Floats,
    groups: Sequence[str],
    figures: Mapping[str, Figure],
    *,
    num_resamples: int,
    confidence: float,
    generator: np.random.Generator,
) -> dict[str, Interval]:
    """Intervals of figures between 0 and 1, all from the same resamples.

    Args:
        contributions: what each item adds, (N, F).
        groups: the cluster of each item; all different where they are independent.
        figures: by name, from summed contributions to the figure.
        num_resamples: draws.
        confidence: of the intervals.
        generator: where the draws come from.
    """
    rows = by_cluster(contributions, groups)
    if len(rows) < 2:
        return {name: Interval(0.0, 1.0) for name in figures}
    blocks = [[figure(sums) for figure in figures.values()] for sums in resampled_sums(rows, num_resamples, generator)]
    errors = [float(np.concatenate(parts).std()) for parts in zip(*blocks, strict=True)]
    return {
        name: _at_worth(float(figure(rows.sum(axis=0))), error, len(rows), confidence)
        for (name, figure), error in zip(figures.items(), errors, strict=True)
    }


def _at_worth(value: float, standard_error: float, n: int, confidence: float) -> Interval:
    """Wilson's interval at the number of items whose share would vary as much; Student's quantile, as n is small."""
    from scipy.stats import t

    error = standard_error * np.sqrt(n / (n - 1))  # resamples of n spread too little by just this
    worth = value * (1 - value) / error**2 if error > 1e-12 and 0.0 < value < 1.0 else n
    return score_interval(value, worth, float(t.ppf((1 + confidence) / 2, n - 1)))


def percentiles(draws: Floats, confidence: float, n: int) -> Interval:
    """The middle of the draws, widened for small n: for differences, which have no end to come near to.

    Resamples of n items spread too little by the factor sqrt((n - 1) / n), and
    the normal's tails are lighter than Student's; the expanded percentile
    interval (Hesterberg, 2015) moves the two quantiles out by as much.
    """
    from scipy.stats import norm, t

    reach = np.sqrt(n / (n - 1)) * t.ppf((1 + confidence) / 2, n - 1)
    tail = float(norm.cdf(-reach))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(float(low), float(high))
