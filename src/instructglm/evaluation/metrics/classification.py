"""Accuracy, precision, recall and F1 of closed tasks, from counts.

Everything follows from three counts a class (right, predicted, referred to)
and the number of items. Counts add up over items, so one formula serves the
figure itself and, with a leading axis, ten thousand resamples of it.
scikit-learn is the oracle in the tests.

An answer that could not be read (`UNPARSED`) is no class: it is a miss for its
reference's recall and a false alarm for nobody. Where nothing is divided by
nothing the figure is 0, as with scikit-learn's `zero_division=0`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
UNPARSED = -1
"""The class index of an answer that could not be read."""


class Counts(NamedTuple):
    """Per class (last axis) and in all; leading axes are resamples."""

    right: Floats  # (..., K)
    predicted: Floats  # (..., K)
    referred: Floats  # (..., K) items whose reference is the class
    items: Floats  # (...,)


def contributions(references: Sequence[int], predictions: Sequence[int], num_classes: int) -> Floats:
    """What each item adds to the counts, (N, 3K + 1); sum it over items and give it to `counts`."""
    classes = np.arange(num_classes)
    referred = np.asarray(references, dtype=np.int64)[:, None] == classes  # (N, K)
    predicted = np.asarray(predictions, dtype=np.int64)[:, None] == classes  # (N, K)
    columns = [referred & predicted, predicted, referred, np.ones((len(references), 1), dtype=bool)]
    return np.concatenate(columns, axis=1).astype(np.float64)


def counts(sums: Floats) -> Counts:
    """The counts in a sum of contributions, (..., 3K + 1)."""
    right, predicted, referred = np.split(sums[..., :-1], 3, axis=-1)
    return Counts(right, predicted, referred, sums[..., -1])


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


# --- per class, (..., K) -------------------------------------------------------------------------------------------
def precision(sums: Floats) -> Floats:
    """Of the items predicted as the class, the share that is of the class."""
    found = counts(sums)
    return _ratio(found.right, found.predicted)


def recall(sums: Floats) -> Floats:
    """Of the items of the class, the share predicted as the class."""
    found = counts(sums)
    return _ratio(found.right, found.referred)


def f1(sums: Floats) -> Floats:
    """Harmonic mean of the class's precision and recall."""
    found = counts(sums)
    return _ratio(2 * found.right, found.predicted + found.referred)


# --- means over classes, (...,) ------------------------------------------------------------------------------------
def _macro(per_class: Floats, sums: Floats) -> Floats:
    """Mean over the classes that occur.

    A class without references and without predictions says nothing about the
    model and is left out, in every resample anew; one that is predicted but
    has no reference counts, with 0.
    """
    found = counts(sums)
    occurs = (found.predicted + found.referred) > 0
    return _ratio((per_class * occurs).sum(axis=-1), occurs.sum(axis=-1).astype(np.float64))


def _weighted(per_class: Floats, sums: Floats) -> Floats:
    referred = counts(sums).referred
    return _ratio((per_class * referred).sum(axis=-1), referred.sum(axis=-1))


def accuracy(sums: Floats) -> Floats:
    """Share of items predicted right; an unparsed answer is wrong."""
    found = counts(sums)
    return _ratio(found.right.sum(axis=-1), found.items)


def macro_precision(sums: Floats) -> Floats:
    """Mean of the classes' precision; see `_macro` for which classes."""
    return _macro(precision(sums), sums)


def macro_recall(sums: Floats) -> Floats:
    """Mean of the classes' recall."""
    return _macro(recall(sums), sums)


def macro_f1(sums: Floats) -> Floats:
    """Mean of the classes' F1."""
    return _macro(f1(sums), sums)


def micro_precision(sums: Floats) -> Floats:
    """Of the answers that could be read, the share that is right."""
    found = counts(sums)
    return _ratio(found.right.sum(axis=-1), found.predicted.sum(axis=-1))


def micro_recall(sums: Floats) -> Floats:
    """Of all items, the share that is right: the accuracy."""
    return accuracy(sums)


def micro_f1(sums: Floats) -> Floats:
    """Harmonic mean of micro precision and micro recall."""
    found = counts(sums)
    return _ratio(2 * found.right.sum(axis=-1), found.predicted.sum(axis=-1) + found.items)


def weighted_precision(sums: Floats) -> Floats:
    """Mean of the classes' precision, each weighted with its number of references."""
    return _weighted(precision(sums), sums)


def weighted_recall(sums: Floats) -> Floats:
    """Mean of the classes' recall, weighted likewise: the accuracy."""
    return _weighted(recall(sums), sums)


def weighted_f1(sums: Floats) -> Floats:
    """Mean of the classes' F1, weighted likewise."""
    return _weighted(f1(sums), sums)


def confusion(references: Sequence[int], predictions: Sequence[int], num_classes: int) -> NDArray[np.int64]:
    """Counts (K, K + 1): rows are references, columns predictions, the last one for unparsed answers."""
    matrix = np.zeros((num_classes, num_classes + 1), dtype=np.int64)
    np.add.at(matrix, (np.asarray(references, dtype=np.int64), np.asarray(predictions, dtype=np.int64)), 1)
    return matrix
