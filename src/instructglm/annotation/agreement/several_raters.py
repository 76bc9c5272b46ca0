"""Coefficients for several raters who need not be the same from item to item; missing ratings are left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from instructglm.annotation.agreement.chance import fleiss, gwet, share_of_agreement
from instructglm.annotation.agreement.coefficient import CONFIDENCE, NUM_DRAWS, Coefficient, Measure, Sample, measure
from instructglm.annotation.agreement.distances import Weights, distances
from instructglm.annotation.agreement.table import Table


def percent_agreement(
    ratings: Sequence[Sequence[float]],
    rng: np.random.Generator,
    *,
    num_draws: int = NUM_DRAWS,
    confidence: float = CONFIDENCE,
) -> Coefficient:
    """The share of pairs of raters who gave equal values, averaged over items; `ratings` holds one list per item.

    Defined on unanimous ratings too, and no correction for chance.

    Raises:
        ValueError: a rating is not a finite number.
    """
    return _one(Table.of_items(ratings), share_of_agreement, rng, num_draws, confidence)


def fleiss_kappa(
    ratings: Sequence[Sequence[float]],
    rng: np.random.Generator,
    *,
    weights: Weights = "identity",
    num_draws: int = NUM_DRAWS,
    confidence: float = CONFIDENCE,
) -> Coefficient:
    """Fleiss' kappa, in Gwet's form where items have different numbers of raters; `ratings` holds one list per item.

    Raises:
        ValueError: a rating is not a finite number.
    """
    table = Table.of_items(ratings)
    return _one(table, lambda of: fleiss(of, distances(of.values, weights)), rng, num_draws, confidence)


def gwet_ac(
    ratings: Sequence[Sequence[float]],
    rng: np.random.Generator,
    *,
    weights: Weights = "identity",
    values: Sequence[float] | None = None,
    num_draws: int = NUM_DRAWS,
    confidence: float = CONFIDENCE,
) -> Coefficient:
    """Gwet's AC1, with linear or quadratic weights AC2; 1 on unanimous ratings, where kappas are undefined.

    Args:
        ratings: one list per item.
        rng: where the draws of the interval come from.
        weights: how disagreements count.
        values: all that raters may choose from, as chance depends on how many there are; None: those that were used.
        num_draws: resamples of the interval.
        confidence: of the interval.

    Raises:
        ValueError: a rating is not a finite number, or not among `values`.
    """
    table = Table.of_items(ratings, values)
    return _one(table, lambda of: gwet(of, distances(of.values, weights)), rng, num_draws, confidence)


def _one(
    table: Table, kind: Callable[[Table], Measure], rng: np.random.Generator, num_draws: int, confidence: float
) -> Coefficient:
    sample = Sample(table.times, table.num_items, table.num_ratings, {"it": kind(table)})
    return measure(sample, rng, num_draws=num_draws, confidence=confidence)["it"]
