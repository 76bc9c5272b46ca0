"""One figure for each annotator: how often they are right; wrong labels are alike."""

from __future__ import annotations

import numpy as np

from instructglm.annotation.aggregation.aggregate import Aggregate
from instructglm.annotation.aggregation.fitting import TINY, iterate, normalised
from instructglm.annotation.aggregation.votes import Votes
from instructglm.annotation.columns import Floats

_SURE = 1e-10  # nobody is always right or always wrong


def one_coin(votes: Votes, *, max_iterations: int = 100, tolerance: float = 1e-4) -> Aggregate:
    """Fit Dawid and Skene's model with one parameter an annotator by EM (also called homogeneous Dawid-Skene).

    It needs few labels an annotator, and fails where a class is mistaken for another by most people.
    """
    num_wrong = max(1, len(votes.labels) - 1)

    def step(posterior: Floats) -> Floats:
        right = votes.by_annotator(posterior[votes.label, votes.item]) / votes.votes_per_annotator
        right = np.clip(right, _SURE, 1.0 - _SURE)
        log_wrong = np.log((1.0 - right) / num_wrong)
        gained = votes.by_label_and_item((np.log(right) - log_wrong)[votes.annotator])
        log_shares = np.log(posterior.mean(axis=1, keepdims=True) + TINY)
        return normalised(log_shares + gained)[0]

    return iterate("one_coin", votes, step, max_iterations=max_iterations, tolerance=tolerance)
