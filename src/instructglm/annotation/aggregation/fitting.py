"""What the models of annotators share: from log-likelihoods to posteriors, and when a fit has settled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from instructglm.annotation.aggregation.aggregate import Aggregate
from instructglm.annotation.aggregation.votes import Votes
from instructglm.annotation.columns import Floats

Step = Callable[[Floats], Floats]
"""From one posterior (L, I) to the next."""

TINY = 1e-300  # keeps the logarithm of a share of nothing finite
_DIGITS = 12  # of a posterior from round to round: a tie stands like a pencil on its tip, and rounding tips it over


def normalised(log_joint: Floats) -> tuple[Floats, float]:
    """The posterior (L, I) of log p(label, votes), and the log-likelihood of all votes in nats."""
    highest = log_joint.max(axis=0)
    scaled = np.exp(log_joint - highest)
    sums = scaled.sum(axis=0)
    return scaled / sums, float((highest + np.log(sums)).sum())


def class_shares(posterior: Floats) -> Floats:
    """How common each label is, (L, 1), with one item more that counts for all of them alike."""
    num_labels, num_items = posterior.shape
    return np.asarray((posterior.sum(axis=1, keepdims=True) + 1.0 / num_labels) / (num_items + 1.0))


def iterate(model: str, votes: Votes, step: Step, *, max_iterations: int, tolerance: float) -> Aggregate:
    """Begin with the shares of the votes and go on until no posterior moves by more than `tolerance`."""
    posterior, num_iterations, converged = votes.shares, 0, False
    while not converged and num_iterations < max_iterations:
        following = step(posterior).round(_DIGITS)
        converged = bool(np.abs(following - posterior).max() <= tolerance)
        posterior, num_iterations = following, num_iterations + 1
    return Aggregate(model, votes, np.ascontiguousarray(posterior.T), num_iterations, converged)
