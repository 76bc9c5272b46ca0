"""What a model makes of votes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from instructglm.annotation.aggregation.votes import Votes
from instructglm.annotation.columns import Floats
from instructglm.core.records import Record

FEW_VOTES = 10
"""Below so many labels an annotator, a confusion matrix of his own says little."""
_TIE = 1e-9  # posteriors nearer than this are as good as equal


class Reliability(Record):
    """How far one annotator can be relied on: the expected share of right labels among `num_votes`.

    `mean_reliability` of a crowd says nothing about a person with two votes: look at `num_votes` first.
    """

    annotator: str
    accuracy: float
    num_votes: int


@dataclass(frozen=True)
class Aggregate:
    """An answer for every item of some votes.

    `posterior[i, l]` is how likely label l is for item i; each row sums to 1. `reliability[w]` is the expected share
    of annotator w's votes that are right, given the posterior. `num_iterations` and `converged` tell how the fit
    ended: without convergence the posterior is that of the last round.
    """

    model: str
    votes: Votes
    posterior: Floats  # (I, L)
    num_iterations: int
    converged: bool

    @property
    def reliability(self) -> Floats:
        """(W,)."""
        right = self.posterior[self.votes.item, self.votes.label]
        return self.votes.by_annotator(right) / self.votes.votes_per_annotator

    @property
    def reliabilities(self) -> tuple[Reliability, ...]:
        """Every annotator's, least reliable first."""
        rows = zip(self.votes.annotators, self.reliability.tolist(), self.votes.votes_per_annotator, strict=True)
        found = [Reliability(annotator=str(name), accuracy=share, num_votes=int(n)) for name, share, n in rows]
        return tuple(sorted(found, key=lambda one: (one.accuracy, one.annotator)))

    @property
    def best(self) -> Floats:
        """Which labels are the likeliest, shared among the equally likely: (I, L), 0.5 and 0.5 for a tie of two."""
        likeliest = self.posterior >= self.posterior.max(axis=1, keepdims=True) - _TIE
        return np.asarray(likeliest / likeliest.sum(axis=1, keepdims=True))

    @property
    def answers(self) -> tuple[Any, ...]:
        """The likeliest label of each item; None where two are equally likely."""
        labels = self.votes.labels
        return tuple(labels[row.argmax()] if row.max() == 1.0 else None for row in self.best)

    @property
    def entropy(self) -> Floats:
        """How unsure each answer is, in nats: (I,); 0 where one label is certain."""
        safe = np.where(self.posterior > 0.0, self.posterior, 1.0)
        return np.asarray(-(self.posterior * np.log(safe)).sum(axis=1))

    @property
    def warning(self) -> str:
        """What to know before trusting it, or nothing."""
        parts = [] if self.converged else [f"{self.model} had not settled after {self.num_iterations} rounds"]
        middle = float(np.median(self.votes.votes_per_annotator))
        if self.model == "dawid_skene" and middle < FEW_VOTES:
            parts.append(
                f"half of the annotators gave {middle:g} labels or fewer: dawid_skene fits a matrix to each of them; "
                "shrunken_dawid_skene is safer"
            )
        return "; ".join(parts)

    def accuracy(self, gold: Sequence[Any]) -> float | None:
        """Expected share of right answers among items with a known one (None: not known), ties broken by lot.

        None where no item's answer is known.
        """
        number = {label: index for index, label in enumerate(self.votes.labels)}
        known = [(row, number.get(label)) for row, label in enumerate(gold) if label is not None]
        if not known:
            return None
        best = self.best
        return float(np.mean([0.0 if label is None else best[row, label] for row, label in known]))
