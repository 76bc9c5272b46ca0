"""How alike texts are that several people wrote for one instruction.

An F score over character n-grams, as in M. Popović, "chrF: character n-gram
F-score for automatic MT evaluation", WMT, 2015, but symmetric (F1), so that no
text is the reference. Characters need no word boundaries, so Chinese counts
like English.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np

from instructglm.annotation.columns import Floats

_LONGEST_NGRAM = 6


def similarity(one: str, other: str) -> float:
    """From 0 (no character in common) to 1 (equal but for width, case and blanks); two blank texts are equal.

    >>> similarity("The cat sat.", "the  cat sat.")
    1.0
    >>> 0.4 < similarity("今天天气很好", "今天天气不错") < 0.6
    True
    """
    return _f_score(_profile(one), _profile(other))


def similarities(texts: Sequence[str]) -> Floats:
    """Every text with every other, (T, T); 1 on the diagonal."""
    profiles = [_profile(text) for text in texts]
    table = np.eye(len(texts))
    for row in range(len(texts)):
        for column in range(row):
            table[row, column] = table[column, row] = _f_score(profiles[row], profiles[column])
    return table


def mean_similarity(texts: Sequence[str]) -> float | None:
    """How alike independent outputs are: the mean over pairs; None with fewer than two."""
    if len(texts) < 2:
        return None
    return float(similarities(texts)[np.tril_indices(len(texts), -1)].mean())


_Profile = list[Counter[str]]
"""The n-grams of a text, for n from 1 on."""


def _profile(text: str) -> _Profile:
    folded = "".join(unicodedata.normalize("NFKC", text).casefold().split())
    return [
        Counter(folded[start : start + n] for start in range(len(folded) - n + 1)) for n in range(1, _LONGEST_NGRAM + 1)
    ]


def _f_score(one: _Profile, other: _Profile) -> float:
    """The mean over those n for which either text is long enough."""
    scores = [_overlap(a, b) for a, b in zip(one, other, strict=True) if a or b]
    return sum(scores) / len(scores) if scores else 1.0


def _overlap(one: Counter[str], other: Counter[str]) -> float:
    return 2.0 * (one & other).total() / (one.total() + other.total())
