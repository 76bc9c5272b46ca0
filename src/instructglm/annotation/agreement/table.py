"""Ratings counted: how often each value was given to each item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from instructglm.annotation.columns import Floats, Ints


@dataclass(frozen=True)
class Table:
    """V distinct values in rising order, K kinds of items, each there `times`.

    Items with equal counts are of one kind where that saves half of the rows or more.
    """

    values: Floats  # (V,)
    counts: Floats  # (K, V)
    times: Floats  # (K,)

    @cached_property
    def sizes(self) -> Floats:
        """Ratings of an item of each kind: (K,)."""
        return np.asarray(self.counts.sum(axis=1))

    @cached_property
    def pairable(self) -> Floats:
        """1 where an item has two ratings or more, else 0: (K,)."""
        return np.asarray(self.sizes > 1.0, dtype=np.float64)

    @property
    def num_items(self) -> int:
        """Items with two ratings or more."""
        return int(self.times @ self.pairable)

    @property
    def num_ratings(self) -> int:
        """Ratings of these items."""
        return int(self.times @ (self.pairable * self.sizes))

    @classmethod
    def of_items(cls, ratings: Sequence[Sequence[float]], values: Sequence[float] | None = None) -> Table:
        """One list of ratings per item, in any order and of any length; items without ratings are left out.

        `values` are all that may be given, None: those that were.

        Raises:
            ValueError: a rating is not a finite number, or not among `values`.
        """
        rated = [np.asarray(item, dtype=float) for item in ratings if len(item)]
        flat = np.concatenate(rated) if rated else np.empty(0)
        if not np.isfinite(flat).all():
            raise ValueError("a rating is not a finite number; leave missing ratings out")
        distinct = np.unique(flat if values is None else np.asarray(values, dtype=float))
        codes = np.searchsorted(distinct, flat)
        if not np.array_equal(distinct[np.minimum(codes, len(distinct) - 1)] if len(distinct) else flat[:0], flat):
            raise ValueError(f"ratings {np.setdiff1d(flat, distinct)[:5].tolist()}: not among the values that may be")
        items = np.repeat(np.arange(len(rated)), [len(item) for item in rated])
        return cls.of_codes(items, codes, len(rated), distinct)

    @classmethod
    def of_codes(cls, item: Ints, value: Ints, num_items: int, values: Floats) -> Table:
        """From the number of the item and of the value of each rating."""
        cells = item * len(values) + value
        counts = np.bincount(cells, minlength=num_items * len(values)).reshape(num_items, len(values))
        first, times, _ = kinds(counts)
        return cls(values, counts[first].astype(np.float64), times)


def kinds(counts: Ints) -> tuple[Ints, Floats, Ints]:
    """The first row of each kind of equal rows, how many there are, and the kind of every row.

    Every row is its own kind, in the order given, where fewer than half of the rows would be saved.
    """
    _, first, kind, times = np.unique(_row_keys(counts), return_index=True, return_inverse=True, return_counts=True)
    if 2 * len(first) > len(counts):
        every = np.arange(len(counts))
        return every, np.ones(len(counts)), every
    return first, times.astype(np.float64), kind


def _row_keys(counts: Ints) -> Ints:
    """A number for each row, equal for equal rows alone."""
    base = int(counts.max(initial=0)) + 1
    if counts.shape[1] * np.log2(base) < 62:  # the row as the digits of one number
        return np.asarray(counts @ base ** np.arange(counts.shape[1], dtype=np.int64))
    return np.unique(counts, axis=0, return_inverse=True)[1].ravel()
