"""What a metric is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from instructglm.evaluation.metrics.classification import Floats


class Metric(NamedTuple):
    """A figure between 0 and 1.

    `of_counts` makes it from a closed task's summed contributions (see
    `classification`); `of_text` makes one item's score from an answer and its
    references, and an open task's figure is the mean over its items.
    """

    name: str
    """In words, as in the middle of a sentence."""
    definition: str
    """One sentence for the report."""
    of_counts: Callable[[Floats], Floats] | None = None
    of_text: Callable[[str, Sequence[str]], float] | None = None
