"""How far annotators agree: Krippendorff's alpha, with an interval.

K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), and
"Content Analysis" (4th ed., 2018), chapter 12. alpha = 1 - D_o / D_e: the
disagreement seen within items over the one expected if the same ratings were
dealt to the items at random. It takes any number of raters, who need not be
the same from item to item, and any missing ratings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from instructglm.core.records import Record

Level = Literal["nominal", "ordinal", "interval"]
Floats = NDArray[np.float64]

_DRAWS_AT_ONCE = 100  # bounds memory: so many draws times the items, in float64
_SOUND_SHARE = 0.95  # of draws with a defined alpha; below it, all variation rests on an item or two


class Agreement(Record):
    """Krippendorff's alpha with a bootstrap interval over items.

    Disagreements are mean squared differences between two ratings, in the
    level's own unit (nominal: 0 or 1; ordinal: ranks; interval: the scale).
    `observed_agreement` is the share of equal pairs within items, at any level.
    Only items with two ratings or more count. `alpha` is None where it is
    undefined, `low` and `high` where there is no interval: `note` says why.
    """

    level: Level
    alpha: float | None
    low: float | None
    high: float | None
    observed_agreement: float | None
    observed_disagreement: float | None
    expected_disagreement: float | None
    num_items: int
    num_ratings: int
    note: str = ""


def krippendorff_alpha(
    ratings: Sequence[Sequence[float]],
    level: Level,
    rng: np.random.Generator,
    *,
    num_draws: int = 1000,
    confidence: float = 0.95,
) -> Agreement:
    """Measure the agreement of raters; `ratings` holds one list per item, in any order and of any length.

    Memory: items times distinct values, and a hundred times the items, eight bytes each.

    Raises:
        ValueError: a rating is not a finite number.
    """
    pairable = [item for item in ratings if len(item) > 1]
    if not pairable:
        return _undefined(level, "coefficient undefined: no item has two ratings")
    table = _tabulate(pairable)
    if len(table.values) == 1:
        return _undefined(level, "coefficient undefined: one value used", table)
    once = np.ones((1, table.num_items))
    observed, expected = (float(part[0]) for part in _disagreements(table, level, once))
    low, high, note = _interval(table, level, rng, num_draws, confidence)
    return Agreement(
        level=level,
        alpha=1.0 - observed / expected,
        low=low,
        high=high,
        observed_agreement=1.0 - float(_disagreements(table, "nominal", once)[0][0]),
        observed_disagreement=observed,
        expected_disagreement=expected,
        num_items=table.num_items,
        num_ratings=table.num_ratings,
        note=note,
    )


def most_split(items: Mapping[str, Sequence[float]], k: int) -> tuple[str, ...]:
    """Name at most `k` items whose ratings vary most (sample variance), most split first, ties by id.

    An item on which all raters agree is not split and never named.
    """
    variances = {name: _variance(ratings) for name, ratings in items.items()}
    split = (name for name, variance in variances.items() if variance > 0)
    return tuple(sorted(split, key=lambda name: (-variances[name], name))[:k])


def _variance(ratings: Sequence[float]) -> float:
    if len(ratings) < 2:
        return 0.0
    # Sorted and rounded, so that the order of the raters cannot decide a tie.
    return round(float(np.var(np.sort(np.asarray(ratings, dtype=float)), ddof=1)), 12)


@dataclass(frozen=True)
class _Table:
    """How often each value was given to each item: I items, V distinct values in rising order."""

    values: Floats  # (V,)
    counts: Floats  # (I, V)
    sizes: Floats  # (I,) ratings of the item

    @property
    def num_items(self) -> int:
        return len(self.sizes)

    @property
    def num_ratings(self) -> int:
        return int(self.sizes.sum())


def _tabulate(ratings: Sequence[Sequence[float]]) -> _Table:
    flat = np.concatenate([np.asarray(item, dtype=float) for item in ratings])
    if not np.isfinite(flat).all():
        raise ValueError("a rating is not a finite number; leave missing ratings out")
    sizes = np.array([len(item) for item in ratings])
    values, codes = np.unique(flat, return_inverse=True)
    cells = np.repeat(np.arange(len(sizes)), sizes) * len(values) + codes
    counts = np.bincount(cells, minlength=len(sizes) * len(values)).reshape(len(sizes), len(values))
    return _Table(values, counts.astype(float), sizes.astype(float))


def _disagreements(table: _Table, level: Level, weights: Floats) -> tuple[Floats, Floats]:
    """Observed and expected disagreement when item i counts weights[d, i] times, for each draw d."""
    totals = weights @ table.sizes  # (D,)
    marginals = weights @ table.counts  # (D, V)
    within, between = _SUMS[level](table, weights, marginals)
    return within / totals, between / (totals * (totals - 1.0))


def _nominal_sums(table: _Table, weights: Floats, marginals: Floats) -> tuple[Floats, Floats]:
    unequal = table.sizes**2 - (table.counts**2).sum(axis=1)
    return weights @ (unequal / (table.sizes - 1.0)), marginals.sum(axis=1) ** 2 - (marginals**2).sum(axis=1)


def _interval_sums(table: _Table, weights: Floats, marginals: Floats) -> tuple[Floats, Floats]:
    centred = table.values - table.values[len(table.values) // 2]  # a scale far from zero would lose digits below
    within = _squared_differences(table.counts, centred) / (table.sizes - 1.0)
    return weights @ within, _squared_differences(marginals, centred)


def _ordinal_sums(table: _Table, weights: Floats, marginals: Floats) -> tuple[Floats, Floats]:
    """Two values differ by their mid-ranks among all ratings: the interval sums, on each draw's own ranks."""
    ranks = np.cumsum(marginals, axis=1) - marginals / 2.0  # (D, V)
    shares = weights / (table.sizes - 1.0)  # (D, I)
    within = [share @ _squared_differences(table.counts, rank) for share, rank in zip(shares, ranks, strict=True)]
    return np.array(within), _squared_differences(marginals, ranks)


_Sums = Callable[[_Table, Floats, Floats], tuple[Floats, Floats]]
_SUMS: Mapping[Level, _Sums] = {"nominal": _nominal_sums, "ordinal": _ordinal_sums, "interval": _interval_sums}


def _squared_differences(counts: Floats, positions: Floats) -> Floats:
    """Sum of (x - y)^2 over all ordered pairs of the values counted in each row."""
    return np.asarray(2.0 * (counts.sum(axis=-1) * np.vecdot(counts, positions**2) - np.vecdot(counts, positions) ** 2))


def _interval(
    table: _Table, level: Level, rng: np.random.Generator, num_draws: int, confidence: float
) -> tuple[float | None, float | None, str]:
    """Percentile bootstrap over items: raters of one item are not independent, items are."""
    if table.num_items < 2:
        return None, None, "no interval: only one item has two ratings"
    alphas = np.concatenate([_alphas(table, level, weights) for weights in _draws(table.num_items, num_draws, rng)])
    defined = alphas[np.isfinite(alphas)]
    if len(defined) < _SOUND_SHARE * num_draws:
        return None, None, f"no interval: only {len(defined)} of {num_draws} resamples hold two different values"
    low, high = np.quantile(defined, [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0])
    return float(low), float(high), ""


def _alphas(table: _Table, level: Level, weights: Floats) -> Floats:
    """Alpha of each draw; not finite where a draw holds one value only."""
    observed, expected = _disagreements(table, level, weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(1.0 - observed / np.where(expected > 0.0, expected, np.nan))


def _draws(num_items: int, num_draws: int, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each item is drawn, with replacement: blocks of (D, I)."""
    for start in range(0, num_draws, _DRAWS_AT_ONCE):
        size = min(_DRAWS_AT_ONCE, num_draws - start)
        cells = rng.integers(num_items, size=(size, num_items)) + np.arange(size)[:, None] * num_items
        yield np.bincount(cells.ravel(), minlength=size * num_items).reshape(size, num_items).astype(float)


def _undefined(level: Level, note: str, table: _Table | None = None) -> Agreement:
    """No coefficient; where there are ratings, all of them agree."""
    agree = table is not None
    return Agreement(
        level=level,
        alpha=None,
        low=None,
        high=None,
        note=note,
        observed_agreement=1.0 if agree else None,
        observed_disagreement=0.0 if agree else None,
        expected_disagreement=0.0 if agree else None,
        num_items=table.num_items if table else 0,
        num_ratings=table.num_ratings if table else 0,
    )
