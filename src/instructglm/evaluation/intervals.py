"""How far a figure can be trusted.

Proportions have Wilson's score interval; any other figure has a percentile
bootstrap over items, or over clusters where items share one (cuts of one
document are not independent: resampling them one by one gives intervals that
are too narrow).

A bootstrap only sees what was drawn. With fewer than two items, or when every
resample gives the same figure, it would report certainty; the interval is then
[0, 1], or Wilson's at the same value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Figure = Callable[[Floats], Floats]
"""From summed contributions (..., F) to figures (...,)."""
_BLOCK = 1_000_000  # numbers in memory at once: 8 MB, which also fits a processor's cache
_FEW_KINDS = 128    # up to here multinomial counts are drawn faster than items


class Interval(NamedTuple):
    """Both ends belong to it."""

    low: float
    high: float


# --- proportions ---------------------------------------------------------------------------------------------------
def normal_quantile(confidence: float) -> float:
    """Half-width of a two-sided normal interval, in standard deviations: 1.96 for 0.95."""
    from scipy.stats import norm

    return float(norm.ppf((1 + confidence) / 2))


def wilson(hits: float, n: float, confidence: float) -> Interval:
    """Score interval of a proportion (Wilson, 1927); [0, 1] where n is 0. Neither need be whole."""
    if n <= 0:
        return Interval(0.0, 1.0)
    z, share = normal_quantile(confidence), hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if share == 0.0 else max(0.0, float(centre - half))
    high = 1.0 if share == 1.0 else min(1.0, float(centre + half))
    return Interval(low, high)


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
    """Percentile intervals of figures between 0 and 1, all from the same resamples.

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
    blocks = [
        [figure(sums) for figure in figures.values()] for sums in resampled_sums(rows, num_resamples, generator)
    ]
    draws = [np.concatenate(parts) for parts in zip(*blocks, strict=True)]
    return {
        name: _honest(percentiles(drawn, confidence, len(rows)), drawn, len(rows), confidence)
        for name, drawn in zip(figures, draws, strict=True)
    }


def _honest(found: Interval, drawn: Floats, n: int, confidence: float) -> Interval:
    return found if np.ptp(drawn) > 0 else wilson(float(drawn[0]) * n, n, confidence)


def percentiles(draws: Floats, confidence: float, n: int) -> Interval:
    """The middle of the draws, widened for small n.

    Resamples of n items spread too little by the factor sqrt((n - 1) / n), and
    the normal's tails are lighter than Student's; the expanded percentile
    interval (Hesterberg, 2015) moves the two quantiles out by as much.
    """
    from scipy.stats import norm, t

    reach = np.sqrt(n / (n - 1)) * t.ppf((1 + confidence) / 2, n - 1)
    tail = float(norm.cdf(-reach))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(float(low), float(high))
