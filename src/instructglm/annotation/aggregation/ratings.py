"""From many ratings of an item to one answer, or to none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def mean_rating(ratings: Sequence[float]) -> float:
    """Return the arithmetic mean, the same whatever the order of the raters.

    Raises:
        ValueError: there are no ratings, and missing is not zero.
    """
    if not ratings:
        raise ValueError("no ratings to take the mean of")
    return math.fsum(ratings) / len(ratings)


def standard_deviation(ratings: Sequence[float]) -> float:
    """Return the spread of these very ratings around their mean (divided by n, not n - 1).

    Raises:
        ValueError: there are no ratings.
    """
    mean = mean_rating(ratings)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in ratings) / len(ratings))


def label_by_mean(ratings: Sequence[float], labels: Mapping[str, tuple[float, float]]) -> str | None:
    """Return the label whose range [lowest, highest] holds the mean rating; None where it falls between ranges.

    Where two ranges share an end, the one named first wins.

    >>> label_by_mean([1, 2], {"bad": (-4, -0.5), "good": (0.5, 4)})
    'good'
    >>> label_by_mean([-1, 1], {"bad": (-4, -0.5), "good": (0.5, 4)}) is None
    True
    """
    mean = mean_rating(ratings)
    return next((label for label, (low, high) in labels.items() if low <= mean <= high), None)
