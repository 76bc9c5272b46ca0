"""How able an annotator is and how hard an item: GLAD.

J. Whitehill, P. Ruvolo, T. Wu, J. Bergsma and J. Movellan, "Whose vote should
count more: optimal integration of labels from labelers of unknown expertise",
NIPS, 2009. A label is right with probability sigmoid(ability * clarity), wrong
ones are alike. Abilities and logarithms of clarities are normal around 1, with
variance 1, as in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from instructglm.annotation.aggregation.aggregate import Aggregate
from instructglm.annotation.aggregation.fitting import iterate, normalised
from instructglm.annotation.aggregation.votes import Votes
from instructglm.annotation.columns import Floats

_PRIOR_MEAN = 1.0
_LONGEST_STEP = 1.0
_NEWTON_STEPS = 2


def glad(votes: Votes, *, max_iterations: int = 100, tolerance: float = 1e-4) -> Aggregate:
    """Fit by EM; in each round, two Newton steps for all abilities, then for all clarities."""
    fit = _Parameters(votes, np.full(len(votes.annotators), _PRIOR_MEAN), np.full(len(votes.items), _PRIOR_MEAN))

    def step(posterior: Floats) -> Floats:
        right = posterior[votes.label, votes.item]
        if fit.started:
            for _ in range(_NEWTON_STEPS):
                fit.improve_abilities(right)
                fit.improve_clarities(right)
        fit.started = True  # the first posterior is that of the priors, as in the paper
        return fit.posterior()

    return iterate("glad", votes, step, max_iterations=max_iterations, tolerance=tolerance)


@dataclass
class _Parameters:
    """Abilities (W,) and logarithms of clarities (I,)."""

    votes: Votes
    ability: Floats
    log_clarity: Floats
    started: bool = False

    def posterior(self) -> Floats:
        """(L, I). log p(right) - log p(one wrong label) is the logit and the logarithm of the number of wrong ones."""
        logit = self.ability[self.votes.annotator] * self._clarity()
        wrong_labels = np.log(max(1, len(self.votes.labels) - 1))
        return normalised(self.votes.by_label_and_item(logit + wrong_labels))[0]

    def improve_abilities(self, right: Floats) -> None:
        clarity = self._clarity()
        surprise, information = _residuals(right, self.ability[self.votes.annotator] * clarity)
        gradient = self.votes.by_annotator(surprise * clarity) - (self.ability - _PRIOR_MEAN)
        curvature = self.votes.by_annotator(information * clarity**2) + 1.0
        self.ability = self.ability + np.clip(gradient / curvature, -_LONGEST_STEP, _LONGEST_STEP)

    def improve_clarities(self, right: Floats) -> None:
        logit = self.ability[self.votes.annotator] * self._clarity()
        surprise, information = _residuals(right, logit)
        gradient = self.votes.by_item(surprise * logit) - (self.log_clarity - _PRIOR_MEAN)
        curvature = self.votes.by_item(information * logit**2) + 1.0
        self.log_clarity = self.log_clarity + np.clip(gradient / curvature, -_LONGEST_STEP, _LONGEST_STEP)

    def _clarity(self) -> Floats:
        return np.asarray(np.exp(self.log_clarity)[self.votes.item])


def _residuals(right: Floats, logit: Floats) -> tuple[Floats, Floats]:
    """What the model did not expect of each vote, and the Fisher information of its logit."""
    expected = 0.5 * (1.0 + np.tanh(0.5 * logit))
    return right - expected, expected * (1.0 - expected)
