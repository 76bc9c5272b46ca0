"""What a reader should know of the ratings of one task before trusting its answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from instructglm.annotation.agreement import Level, krippendorff_alpha, most_split
from instructglm.core.records import Record


class RatedItem(Record):
    """One text with all its ratings. `outcome` is the answer it was given, or why it was left out."""

    row: str
    text: str
    ratings: tuple[float, ...]
    outcome: str


class RatingSummary(Record):
    """How far the annotators of one task agree.

    `alpha` is Krippendorff's, None where it is undefined (and `note` says why).
    `num_items` and `num_ratings` count all items, those with one rating too.
    """

    task: str
    num_items: int
    num_ratings: int
    num_annotators_min: int
    num_annotators_max: int
    alpha: float | None
    alpha_low: float | None
    alpha_high: float | None
    level: Level
    note: str
    rating_histogram: dict[str, int]
    split_items: tuple[RatedItem, ...]


def summarise(
    task: str,
    items: Sequence[RatedItem],
    rng: np.random.Generator,
    *,
    level: Level = "interval",
    num_split_items: int = 10,
) -> RatingSummary:
    """Summarise the ratings of one task, items that were left out included: without them, raters seem to agree more.

    Raises:
        ValueError: there is no item.
    """
    if not items:
        raise ValueError(f"task {task}: no rated item to summarise")
    agreement = krippendorff_alpha([item.ratings for item in items], level, rng)
    sizes = [len(item.ratings) for item in items]
    return RatingSummary(
        task=task,
        num_items=len(items),
        num_ratings=sum(sizes),
        num_annotators_min=min(sizes),
        num_annotators_max=max(sizes),
        alpha=agreement.alpha,
        alpha_low=agreement.low,
        alpha_high=agreement.high,
        level=level,
        note=agreement.note,
        rating_histogram=_histogram(items),
        split_items=_split_items(items, num_split_items),
    )


def _histogram(items: Sequence[RatedItem]) -> dict[str, int]:
    """Rating -> how often it was given, in the scale's order."""
    counts = Counter(value for item in items for value in item.ratings)
    return {f"{value:g}": counts[value] for value in sorted(counts)}


def _split_items(items: Sequence[RatedItem], k: int) -> tuple[RatedItem, ...]:
    by_row = {item.row: item for item in items}
    return tuple(by_row[row] for row in most_split({row: item.ratings for row, item in by_row.items()}, k))
