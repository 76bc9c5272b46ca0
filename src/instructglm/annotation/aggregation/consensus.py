"""How good things are that several people rated on one scale, some of them mildly, some of them at random.

Each annotator's bias is how far above the mean of a thing's ratings theirs lie as a rule. It is taken off, so that a
thing which only somebody mild has rated does not look better for it; two who rate the same things meet in the middle.
Who then scatters more around the mean of the *others* counts less: around a mean that holds their own rating people
would agree best with themselves, and a fit that goes on from there ends with one person who counts for all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from instructglm.annotation.columns import Floats, Ints

ENOUGH = 10
"""Below so many things that others rated too, an annotator is taken for what people are on average."""
_MOST = 4.0  # times the weight of an average annotator; a quarter is the least
_ALIKE = 1e-9  # a mean square below this is rounding: nobody scatters, all count the same


@dataclass(frozen=True)
class Consensus:
    """`quality` of I things, and of W annotators their `bias`, their `weight` (1: average) and what it rests on.

    `num_shared` counts an annotator's ratings of things that others rated too.
    """

    items: Ints  # (I,) in rising order
    annotators: Ints  # (W,) in rising order
    quality: Floats  # (I,)
    bias: Floats  # (W,)
    weight: Floats  # (W,)
    num_shared: Ints  # (W,)


def consensus(item: Ints, annotator: Ints, value: Floats, *, enough: int = ENOUGH) -> Consensus:
    """From N ratings, at most one by an annotator of a thing, each (N,)."""
    items, of_item = np.unique(item, return_inverse=True)
    people, of_person = np.unique(annotator, return_inverse=True)
    num_people = len(people)
    shared = np.bincount(of_item, minlength=len(items))[of_item] > 1
    num_shared = np.bincount(of_person[shared], minlength=num_people)
    known = num_shared >= enough
    mean = _sum(of_item, value, len(items)) / np.bincount(of_item, minlength=len(items))
    above = _sum(of_person[shared], (value - mean[of_item])[shared], num_people)
    bias = np.where(known, above / (num_shared + 1.0), 0.0)  # drawn to none by one observation
    unbiased = value - bias[of_person]
    scatter = _sum(of_person[shared], _above_others(of_item, unbiased)[shared] ** 2, num_people)
    weight = np.where(known, _weights(scatter, num_shared, enough), 1.0)
    of_row = weight[of_person]
    quality = _sum(of_item, of_row * unbiased, len(items)) / _sum(of_item, of_row, len(items))
    return Consensus(items, people, quality, bias, weight, num_shared)


def _above_others(of_item: Ints, value: Floats) -> Floats:
    """How far each rating lies above the mean of the others of its thing, (N,); 0 where there is no other."""
    num_others = np.bincount(of_item)[of_item] - 1
    others = np.bincount(of_item, value)[of_item] - value
    return np.asarray(np.where(num_others > 0, value - others / np.maximum(num_others, 1), 0.0))


def _weights(scatter: Floats, num_shared: Ints, enough: int) -> Floats:
    """Everybody's mean square over one's own; the mean square of all counts as `enough` ratings more of each."""
    pooled = scatter.sum() / max(num_shared.sum(), 1)
    if pooled < _ALIKE:
        return np.ones(len(scatter))
    own = (scatter + enough * pooled) / (num_shared + enough)
    return np.asarray(np.clip(pooled / own, 1.0 / _MOST, _MOST))


def _sum(places: Ints, amounts: Floats, num_places: int) -> Floats:
    return np.asarray(np.bincount(places, amounts, minlength=num_places), dtype=np.float64)
