"""What every coefficient of agreement has in common: 1 - observed / expected disagreement, and a bootstrap interval.

The coefficients differ in what disagreement they expect of chance. Those
published as (p_o - p_e) / (1 - p_e) are the same thing with 1 - p for each p.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from instructglm.annotation.columns import Floats
from instructglm.core.records import Record

Measure = Callable[[Floats], tuple[Floats, Floats]]
"""From how often each kind of item counts in each draw, (D, K), to observed and expected disagreement, (D,) each."""

NUM_DRAWS = 1000
CONFIDENCE = 0.95
_BLOCK = 4_000_000  # numbers in memory at once: 32 MB
_SOUND_SHARE = 0.95  # of draws with a defined coefficient; below it, all variation rests on an item or two


class Coefficient(Record):
    """A coefficient of agreement with a percentile bootstrap interval over items; never nan.

    1 is full agreement; 0 what is to be expected of chance (for the plain share of agreement: no agreement at all).
    `value` is None where it is undefined, `low` and `high` where there is no interval: `note` says why. Only items
    with two ratings or more are counted in `num_items`, and their ratings in `num_ratings`.
    """

    value: float | None
    low: float | None
    high: float | None
    observed_disagreement: float | None
    expected_disagreement: float | None
    num_items: int
    num_ratings: int
    note: str = ""


@dataclass(frozen=True)
class Sample:
    """Items of K kinds, of each kind `times`, and what is to be measured of them, by name."""

    times: Floats  # (K,)
    num_items: int
    num_ratings: int
    measures: Mapping[str, Measure]


def measure(
    sample: Sample, rng: np.random.Generator, *, num_draws: int = NUM_DRAWS, confidence: float = CONFIDENCE
) -> dict[str, Coefficient]:
    """Every coefficient of a sample, all intervals from the same draws of items.

    Raters of one item are not independent, items are: so items are drawn, with all their ratings.
    """
    if not sample.num_items:
        return {name: _undefined(sample, "coefficient undefined: no item has two ratings") for name in sample.measures}
    found = {name: _at(function, sample.times) for name, function in sample.measures.items()}
    defined = {name: function for name, function in sample.measures.items() if found[name].expected > 0.0}
    draws = _drawn(sample, defined, rng, num_draws)
    return {
        name: _coefficient(sample, point, draws[name], confidence)
        if name in defined
        else _undefined(sample, "coefficient undefined: one value used", 0.0)
        for name, point in found.items()
    }


class _Point(NamedTuple):
    observed: float
    expected: float


def _at(function: Measure, times: Floats) -> _Point:
    observed, expected = function(times[None, :])
    return _Point(float(observed[0]), float(expected[0]))


def _drawn(
    sample: Sample, measures: Mapping[str, Measure], rng: np.random.Generator, num_draws: int
) -> dict[str, Floats]:
    """The coefficients of each draw; not finite where a draw has none."""
    if sample.num_items < 2 or not measures:
        return {name: np.empty(0) for name in measures}
    blocks = [
        {name: _ratio(*function(weights)) for name, function in measures.items()}
        for weights in resamples(sample.times, num_draws, rng)
    ]
    return {name: np.concatenate([block[name] for block in blocks]) for name in measures}


def _ratio(observed: Floats, expected: Floats) -> Floats:
    return np.asarray(1.0 - observed / np.where(expected > 0.0, expected, np.nan))


def resamples(times: Floats, num_draws: int, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each kind is drawn when as many items are drawn as there are, with replacement: blocks of (D, K)."""
    block = max(1, _BLOCK // len(times))
    for start in range(0, num_draws, block):
        yield _draws(times, min(block, num_draws - start), rng)


def _draws(times: Floats, num_draws: int, rng: np.random.Generator) -> Floats:
    num_items, num_kinds = int(times.sum()), len(times)
    if num_items > num_kinds:
        return rng.multinomial(num_items, times / times.sum(), size=num_draws).astype(np.float64)
    cells = rng.integers(num_kinds, size=(num_draws, num_kinds)) + np.arange(num_draws)[:, None] * num_kinds
    counts = np.bincount(cells.ravel(), minlength=num_draws * num_kinds)
    return np.asarray(counts.reshape(num_draws, num_kinds), dtype=np.float64)


def _coefficient(sample: Sample, point: _Point, draws: Floats, confidence: float) -> Coefficient:
    low, high, note = _interval(draws, confidence)
    return Coefficient(
        value=1.0 - point.observed / point.expected,
        low=low,
        high=high,
        observed_disagreement=point.observed,
        expected_disagreement=point.expected,
        num_items=sample.num_items,
        num_ratings=sample.num_ratings,
        note=note,
    )


def _interval(draws: Floats, confidence: float) -> tuple[float | None, float | None, str]:
    if not len(draws):
        return None, None, "no interval: only one item has two ratings"
    defined = draws[np.isfinite(draws)]
    if len(defined) < _SOUND_SHARE * len(draws):
        return None, None, f"no interval: only {len(defined)} of {len(draws)} resamples hold two different values"
    low, high = np.quantile(defined, [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0])
    return float(low), float(high), ""


def _undefined(sample: Sample, note: str, disagreement: float | None = None) -> Coefficient:
    """No coefficient; `disagreement` is 0 where there are ratings, and all of them agree."""
    return Coefficient(
        value=None,
        low=None,
        high=None,
        observed_disagreement=disagreement,
        expected_disagreement=disagreement,
        num_items=sample.num_items,
        num_ratings=sample.num_ratings,
        note=note,
    )
