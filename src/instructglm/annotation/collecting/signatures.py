"""A text in 128 bytes: its b-bit MinHash signature.

A. Broder, "On the resemblance and containment of documents", 1997: two sets
have the same smallest element under a random order as often as they overlap.
P. Li and A. C. König, "b-Bit Minwise Hashing", WWW, 2010: the lowest bits of
that element do, here eight.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from instructglm.annotation.collecting.shingles import Shingles

Signatures = NDArray[np.uint8]
NUM_ORDERS = 128
_AT_ONCE = 1 << 15  # trigrams: what is computed of them stays in the processor's cache
_FIRST = np.uint64(0x9E3779B97F4A7C15)


def sign(sets: Sequence[Shingles]) -> Signatures:
    """One row a set, (S, 128). An empty set's row is all zeros and means nothing."""
    found = np.zeros((len(sets), NUM_ORDERS), dtype=np.uint8)
    filled = [number for number, one in enumerate(sets) if len(one)]
    for block in _blocks(sets, filled):
        found[block] = _sign([sets[number] for number in block])
    return found


def _blocks(sets: Sequence[Shingles], filled: Sequence[int]) -> list[list[int]]:
    blocks: list[list[int]] = []
    room = 0
    for number in filled:
        if room < len(sets[number]):
            blocks.append([])
            room = _AT_ONCE
        blocks[-1].append(number)
        room -= len(sets[number])
    return blocks


def _sign(sets: Sequence[Shingles]) -> Signatures:
    starts = np.cumsum([0, *(len(one) for one in sets[:-1])])
    mixed = _mix(np.concatenate(sets))  # (N,)
    rows = np.empty((len(sets), NUM_ORDERS), dtype=np.uint8)
    for order, (factor, offset) in enumerate(_orders()):
        smallest = np.minimum.reduceat(mixed * factor + offset, starts)
        rows[:, order] = (smallest >> np.uint64(32)).astype(np.uint8)  # bits from the middle: the top ones are all 0
    return rows


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Splitmix64's finisher (Steele, Lea and Flood, 2014): neighbours come to lie far apart."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ (values >> np.uint64(31)))


@cache
def _orders() -> list[tuple[np.uint64, np.uint64]]:
    """A factor, which is odd, and an offset for each random order; the same on every machine."""
    drawn = _mix(np.arange(1, 2 * NUM_ORDERS + 1, dtype=np.uint64) * _FIRST)
    return list(zip(drawn[::2] | np.uint64(1), drawn[1::2], strict=True))


def matches(signatures: Signatures, one: NDArray[np.uint8]) -> NDArray[np.int64]:
    """In how many of 128 orders each row agrees with `one`, (S,)."""
    return np.asarray(np.count_nonzero(signatures == one, axis=1))
