"""How far a share can be trusted."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist
from typing import NamedTuple


class Interval(NamedTuple):
    """Both ends belong to it."""

    low: float
    high: float


def normal_quantile(confidence: float) -> float:
    """Half-width of a two-sided normal interval, in standard deviations: 1.96 for 0.95."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(hits: float, n: float, confidence: float) -> Interval:
    """Score interval of a proportion (Wilson, 1927); [0, 1] where n is 0. Neither need be whole."""
    return score_interval(hits / n, n, normal_quantile(confidence)) if n > 0 else Interval(0.0, 1.0)


def score_interval(share: float, n: float, z: float) -> Interval:
    """Wilson's interval of a share of n, z standard deviations wide to each side."""
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if share == 0.0 else max(0.0, float(centre - half))
    high = 1.0 if share == 1.0 else min(1.0, float(centre + half))
    return Interval(low, high)
