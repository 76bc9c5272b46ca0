"""Columns of names as columns of numbers."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Column = Sequence[Hashable] | NDArray[Any]


def codes(column: Column) -> tuple[tuple[Any, ...], Ints]:
    """The distinct names in rising order, and for each row the number of its name among them.

    Names that cannot be compared with each other (1 and "a") are ordered by type and text.

    >>> names, numbers = codes(["b", "a", "b"])
    >>> names, numbers.tolist()
    (('a', 'b'), [1, 0, 1])
    """
    if isinstance(column, np.ndarray):
        if column.dtype.kind in "biuf":  # sorting numbers is faster than a dictionary of them, and texts the reverse
            distinct, numbers = np.unique(column, return_inverse=True)
            return tuple(distinct.tolist()), numbers.astype(np.int64)
        column = plain(column)
    first_seen: dict[Hashable, int] = {}
    rows = np.fromiter((first_seen.setdefault(name, len(first_seen)) for name in column), np.int64, len(column))
    order = _in_order(first_seen)
    place = np.empty(len(order), dtype=np.int64)
    place[[first_seen[name] for name in order]] = np.arange(len(order))
    return tuple(plain(order)), place[rows]


def plain(names: Column) -> list[Any]:
    """The names as Python's own values: numpy's integers are equal to those, but no `int`."""
    if isinstance(names, np.ndarray):
        return list(names.tolist())
    return [name.item() if isinstance(name, np.generic) else name for name in names]


def _in_order(names: dict[Hashable, int]) -> list[Any]:
    values: list[Any] = list(names)
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=lambda name: (type(name).__name__, str(name)))


def last_of_each(keys: Ints) -> Ints:
    """The row of the last occurrence of each key, in rising order of the keys."""
    _, from_the_end = np.unique(keys[::-1], return_index=True)
    return np.asarray(len(keys) - 1 - from_the_end)
