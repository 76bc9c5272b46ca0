"""The items on which raters split most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


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
