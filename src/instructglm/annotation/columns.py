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
    if isinstance(column, np.ndarray) and column.dtype != object:
        distinct, numbers = np.unique(column, return_inverse=True)
        return tuple(distinct.tolist()), numbers.astype(np.int64)
    first_seen: dict[Hashable, int] = {}
    rows = np.fromiter((first_seen.setdefault(name, len(first_seen)) for name in column), np.int64, len(column))
    order = _in_order(first_seen)
    place = np.empty(len(order), dtype=np.int64)
    place[[first_seen[name] for name in order]] = np.arange(len(order))
    return tuple(order), place[rows]


def _in_order(names: dict[Hashable, int]) -> list[Any]:
    values: list[Any] = list(names)
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=lambda name: (type(name).__name__, str(name)))


def codes_within(column: Column, names: Sequence[Hashable], what: str) -> Ints:
    """For each row the number of its name among `names`.

    Raises:
        ValueError: a row holds a name that is not among them.
    """
    number = {name: index for index, name in enumerate(names)}
    unknown = sorted({repr(name) for name in column if name not in number})
    if unknown:
        raise ValueError(f"{what} {', '.join(unknown[:5])}: expected one of {', '.join(map(repr, names))}")
    return np.fromiter((number[name] for name in column), np.int64, len(column))
