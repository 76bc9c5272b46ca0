"""Texts as sets of character trigrams, and how far two sets overlap.

Characters need no word boundaries, so Chinese counts like English; width,
case, blanks and the punctuation of sentences do not count. Three characters
rather than five, because instructions are short: one changed character of a
Chinese sentence of ten takes five of its six fives away, and three of its
eight threes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from instructglm.core.words import comparable

Shingles = NDArray[np.uint64]
"""The distinct trigrams of a text in rising order: three code points of 21 bits each."""

NUM_READ = 10_000
"""Characters of a text that are compared; those behind them are not, so that a long text costs no more than this."""
_LENGTH = 3
_BITS = 21  # of a code point
_PUNCTUATION = re.compile(r"[\s.,;:!?\"'()\[\]、。“”‘’「」『』《》〈〉【】…·]+")


def shingles(text: str) -> Shingles:
    """The trigrams of a text with a blank before and after it; none of a blank text."""
    characters = code_points(text)
    return np.unique(_trigrams(characters)) if len(characters) else np.empty(0, dtype=np.uint64)


def code_points(text: str) -> NDArray[np.uint64]:
    """What is compared of a text, with a blank before and after it, (C,); empty for a blank text."""
    folded = comparable(text[:NUM_READ])
    # A text of nothing but punctuation is its punctuation.
    kept = (_PUNCTUATION.sub(" ", folded).strip() or folded)[:NUM_READ]
    if not kept:
        return np.empty(0, dtype=np.uint64)
    # surrogatepass: half a character that somebody pasted is no reason to fail
    spelled = f" {kept} ".encode("utf-32-le", "surrogatepass")
    return np.frombuffer(spelled, dtype=np.uint32).astype(np.uint64)


def _trigrams(characters: NDArray[np.uint64]) -> Shingles:
    bits = np.uint64(_BITS)
    return (characters[:-2] << (bits + bits)) | (characters[1:-1] << bits) | characters[2:]


def jaccard(one: Shingles, other: Shingles) -> float:
    """The share of all trigrams of two texts that both have (Jaccard, 1901); 0 where either has none.

    >>> jaccard(shingles("Write a poem."), shingles("write  a poem"))
    1.0
    >>> round(jaccard(shingles("写一首诗"), shingles("请写一首诗。")), 2)
    0.5
    """
    common = len(np.intersect1d(one, other, assume_unique=True))
    return common / (len(one) + len(other) - common) if common else 0.0


def overlaps(texts: Sequence[str]) -> NDArray[np.float64]:
    """The Jaccard overlap of every text with every other, (T, T); 1 on the diagonal, of blank texts too."""
    sets = [shingles(text) for text in texts]
    _, columns = np.unique(np.concatenate([*sets, np.empty(0, np.uint64)]), return_inverse=True)
    sizes = np.array([len(one) for one in sets], dtype=np.float64)
    common = _common(np.repeat(np.arange(len(sets)), sizes.astype(np.int64)), columns, len(sets))
    either = sizes[:, None] + sizes[None, :] - common
    table = np.divide(common, either, out=np.zeros_like(common), where=either > 0)
    np.fill_diagonal(table, 1.0)
    return table


def _common(rows: NDArray[np.int64], columns: NDArray[np.intp], num_rows: int) -> NDArray[np.float64]:
    """How many trigrams two texts share, (T, T), from pairs of text and trigram, a slice of the trigrams at a time."""
    shared = np.zeros((num_rows, num_rows))
    width = 1 + int(columns.max()) if len(columns) else 0
    for start in range(0, width, _AT_ONCE):
        inside = (columns >= start) & (columns < start + _AT_ONCE)
        marks = np.zeros((num_rows, min(_AT_ONCE, width - start)), dtype=np.float32)
        marks[rows[inside], columns[inside] - start] = 1.0
        shared += marks @ marks.T
    return shared


_AT_ONCE = 4_096  # trigrams: bounds the memory of many long texts
