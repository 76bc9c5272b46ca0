"""Most votes win."""

from __future__ import annotations

import numpy as np

from instructglm.annotation.aggregation.aggregate import Aggregate
from instructglm.annotation.aggregation.votes import Votes


def majority_vote(votes: Votes) -> Aggregate:
    """The label with most votes; the posterior is shared among labels with equally many, so that a tie is seen.

    For the shares of the votes themselves, ask `votes.shares`.
    """
    most = votes.counts == votes.counts.max(axis=0)
    posterior = most / most.sum(axis=0)
    return Aggregate("majority_vote", votes, np.ascontiguousarray(posterior.T), num_iterations=0, converged=True)
