"""The texts most like a given one, among a hundred thousand, while somebody types it.

All signatures (128 bytes a text) are compared with the typed text's; what
looks most alike is then read and compared exactly. So a search needs no
threshold, its time does not depend on how alike the texts are, and a similarity
that is told is never an estimate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from instructglm.annotation.collecting.shingles import jaccard, shingles
from instructglm.annotation.collecting.signatures import NUM_ORDERS, Signatures, matches, sign

ReadTexts = Callable[[Sequence[int]], Mapping[int, str]]
"""The texts of these ids; what is no longer in use is left out."""

NEAR = 0.7
"""The share of common trigrams from which two texts count as near-duplicates."""
_MARGIN = 32  # texts read beyond those that are asked for: signatures are a little wrong about the order
_TEXTS_AT_ONCE, _PAIRS_AT_ONCE = 1_000, 2_000  # whose trigrams are in memory
_ROWS_AT_ONCE = 1 << 14  # compared at a time, so that what lies between stays small
_BANDS, _BAND = 25, 5  # at an overlap of 0.7, 99 of 100 pairs share one of 25 bands; at 0.8 all but one of 20,000
_BACK = 4  # of many texts that share a band, each is compared with so many of the others


class Neighbour(NamedTuple):
    """A text that is like another; `similarity` is their Jaccard overlap, exact."""

    id: int
    similarity: float


class NearDuplicates:
    """An index of texts by id. Threads may share it; it holds 136 bytes a text, and no text.

    Args:
        read: gives the texts of ids, to compare them exactly.
    """

    def __init__(self, read: ReadTexts) -> None:
        self._read = read
        self._ids = np.empty(0, dtype=np.int64)
        self._signatures = np.empty((0, NUM_ORDERS), dtype=np.uint8)
        self._size = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return self._size

    def add(self, texts: Iterable[tuple[int, str]]) -> None:
        """Put texts in. A blank one is like nothing and is left out."""
        rest = iter(texts)
        while block := list(islice(rest, _TEXTS_AT_ONCE)):
            self._add(block)

    def _add(self, texts: Sequence[tuple[int, str]]) -> None:
        pairs = [(number, one) for number, text in texts if len(one := shingles(text))]
        signatures = sign([one for _, one in pairs])
        with self._lock:
            end = self._size + len(pairs)
            self._make_room(end)
            self._ids[self._size : end] = [number for number, _ in pairs]
            self._signatures[self._size : end] = signatures
            self._size = end

    def _make_room(self, size: int) -> None:
        """Grow by half at least. What a reader holds stays as it was: rows are only ever added."""
        if size > len(self._ids):
            more = max(size, len(self._ids) * 3 // 2, 1_024) - len(self._ids)
            self._ids = np.concatenate([self._ids, np.zeros(more, dtype=np.int64)])
            empty = np.zeros((more, NUM_ORDERS), dtype=np.uint8)
            self._signatures = np.concatenate([self._signatures, empty])

    def nearest(self, text: str, k: int = 5, *, at_least: float = 0.5) -> tuple[Neighbour, ...]:
        """At most `k` texts that overlap with this one by `at_least`, the most alike first."""
        wanted = shingles(text)
        if not len(wanted) or k < 1:
            return ()
        ids = self._likely(wanted, k + _MARGIN)
        found = (Neighbour(number, jaccard(wanted, shingles(one))) for number, one in self._read(ids).items())
        alike = (one for one in found if one.similarity >= at_least)
        return tuple(sorted(alike, key=lambda one: (-one.similarity, one.id))[:k])

    def _likely(self, wanted: NDArray[np.uint64], number: int) -> list[int]:
        ids, signatures = self._rows()
        if not len(ids):
            return []
        one = sign([wanted])[0]
        parts = (signatures[start : start + _ROWS_AT_ONCE] for start in range(0, len(ids), _ROWS_AT_ONCE))
        agreeing = np.concatenate([matches(part, one) for part in parts])
        number = min(number, len(ids))
        return [int(found) for found in ids[np.argpartition(-agreeing, number - 1)[:number]]]

    def _rows(self) -> tuple[NDArray[np.int64], Signatures]:
        with self._lock:
            return self._ids[: self._size], self._signatures[: self._size]

    def clusters(self, at_least: float = NEAR) -> tuple[tuple[int, ...], ...]:
        """Texts that are alike, in groups; the largest group first.

        Every member overlaps by `at_least` with another one of its group. Pairs are sought among texts that agree in
        five orders in a row (J. Leskovec, A. Rajaraman and J. D. Ullman, "Mining of Massive Datasets", section 3.4),
        so below 0.7 some are missed.
        """
        ids, signatures = self._rows()
        pairs = _candidates(signatures)
        groups = _Groups(len(ids))
        for start in range(0, len(pairs), _PAIRS_AT_ONCE):
            block = pairs[start : start + _PAIRS_AT_ONCE]
            texts = self._read([int(ids[row]) for row in np.unique(block)])
            sets = {number: shingles(text) for number, text in texts.items()}
            for one, other in block.tolist():
                a, b = sets.get(int(ids[one])), sets.get(int(ids[other]))
                if a is not None and b is not None and jaccard(a, b) >= at_least:
                    groups.join(one, other)
        found = [tuple(sorted(int(ids[row]) for row in group)) for group in groups.larger_than_one()]
        return tuple(sorted(found, key=lambda group: (-len(group), group)))


def _candidates(signatures: Signatures) -> NDArray[np.int64]:
    """Pairs of rows that agree in a band, (P, 2): each with the four before it and with the first of those that agree.

    All pairs of a thousand texts that begin alike would be half a million.
    """
    pairs = [np.empty((0, 2), dtype=np.int64)]
    for band in range(_BANDS):
        columns = np.ascontiguousarray(signatures[:, band * _BAND : (band + 1) * _BAND])
        keys = columns.astype(np.int64) @ (256 ** np.arange(_BAND, dtype=np.int64))
        order = np.argsort(keys, kind="stable")
        first = np.searchsorted(keys[order], keys[order])  # (S,) where the run of equal keys begins
        rows = np.arange(len(order))
        for other in (first, *(np.maximum(rows - back, first) for back in range(1, _BACK + 1))):
            pairs.append(np.stack([order[other], order[rows]], axis=1)[other < rows])
    return np.unique(np.concatenate(pairs), axis=0)


class _Groups:
    """Which rows belong together (union-find with path halving)."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def _root(self, row: int) -> int:
        while self._parent[row] != row:
            self._parent[row] = self._parent[self._parent[row]]
            row = self._parent[row]
        return row

    def join(self, one: int, other: int) -> None:
        self._parent[self._root(other)] = self._root(one)

    def larger_than_one(self) -> list[list[int]]:
        groups: dict[int, list[int]] = {}
        for row in range(len(self._parent)):
            groups.setdefault(self._root(row), []).append(row)
        return [group for group in groups.values() if len(group) > 1]
