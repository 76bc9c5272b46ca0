"""Krippendorff's alpha, with an interval.

K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), and
"Content Analysis" (4th ed., 2018), chapter 12. alpha = 1 - D_o / D_e: the
disagreement seen within items over the one expected if the same ratings were
dealt to the items at random. It takes any number of raters, who need not be
the same from item to item, and any missing ratings.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from instructglm.annotation.agreement.chance import krippendorff
from instructglm.annotation.agreement.coefficient import CONFIDENCE, NUM_DRAWS, Sample, measure
from instructglm.annotation.agreement.distances import Level
from instructglm.annotation.agreement.table import Table
from instructglm.core.records import Record


class Agreement(Record):
    """Krippendorff's alpha with a bootstrap interval over items.

    Disagreements are mean squared differences between two ratings, in the
    level's own unit (nominal: 0 or 1; ordinal: ranks; interval: the scale).
    `observed_agreement` is the share of equal pairs within items, at any level.
    Only items with two ratings or more count. `alpha` is None where it is
    undefined, `low` and `high` where there is no interval: `note` says why.
    """

    level: Level
    alpha: float | None
    low: float | None
    high: float | None
    observed_agreement: float | None
    observed_disagreement: float | None
    expected_disagreement: float | None
    num_items: int
    num_ratings: int
    note: str = ""


def krippendorff_alpha(
    ratings: Sequence[Sequence[float]],
    level: Level,
    rng: np.random.Generator,
    *,
    num_draws: int = NUM_DRAWS,
    confidence: float = CONFIDENCE,
) -> Agreement:
    """Measure the agreement of raters; `ratings` holds one list per item, in any order and of any length.

    Memory: items times distinct values, and some 4 million numbers of draws, eight bytes each.

    Raises:
        ValueError: a rating is not a finite number.
    """
    table = Table.of_items([item for item in ratings if len(item) > 1])
    measures = {"alpha": krippendorff(table, level)}
    sample = Sample(table.times, table.num_items, table.num_ratings, measures)
    alpha = measure(sample, rng, num_draws=num_draws, confidence=confidence)["alpha"]
    unequal = krippendorff(table, "nominal")(table.times[None, :])[0]
    return Agreement(
        level=level,
        alpha=alpha.value,
        low=alpha.low,
        high=alpha.high,
        observed_agreement=1.0 - float(unequal[0]) if table.num_items else None,
        observed_disagreement=alpha.observed_disagreement,
        expected_disagreement=alpha.expected_disagreement,
        num_items=alpha.num_items,
        num_ratings=alpha.num_ratings,
        note=alpha.note,
    )
