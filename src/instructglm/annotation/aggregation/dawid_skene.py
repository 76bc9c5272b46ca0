"""A confusion matrix for each annotator: what they say where another label is true.

A. P. Dawid and A. M. Skene, "Maximum likelihood estimation of observer
error-rates using the EM algorithm", Applied Statistics, 1979.

Where annotators gave few labels each, their matrices fit the noise, and the
answers get worse than the majority's. The shrunken form puts a Dirichlet prior
on every row of every matrix: its centre is the row of the matrix of all
annotators taken together, its weight one observation (a unit information
prior: R. E. Kass and L. Wasserman, Journal of the American Statistical
Association, 1995). Both are the same for every data set. It is fitted by
variational Bayes, as in E. Simpson, S. Roberts, I. Psorakis and A. Smith,
"Dynamic Bayesian combination of multiple imperfect classifiers", 2013.
"""

from __future__ import annotations

import numpy as np

from instructglm.annotation.aggregation.aggregate import Aggregate
from instructglm.annotation.aggregation.digamma import digamma
from instructglm.annotation.aggregation.fitting import TINY, class_shares, iterate, normalised
from instructglm.annotation.aggregation.votes import Votes
from instructglm.annotation.columns import Floats

UNIT_INFORMATION = 1.0


def dawid_skene(
    votes: Votes, *, smoothing: float = 0.01, max_iterations: int = 100, tolerance: float = 1e-4
) -> Aggregate:
    """Fit by EM from the shares of the votes; `smoothing` is added to every cell of every matrix.

    Class shares are re-estimated in every round. Beware of annotators with few labels: see `Aggregate.warning`.
    """

    def step(posterior: Floats) -> Floats:
        confusion = votes.confusion(posterior) + smoothing
        log_said = np.log(confusion / confusion.sum(axis=2, keepdims=True))
        return _posterior(votes, np.log(posterior.mean(axis=1, keepdims=True) + TINY), log_said)

    return iterate("dawid_skene", votes, step, max_iterations=max_iterations, tolerance=tolerance)


def shrunken_dawid_skene(
    votes: Votes, *, strength: float = UNIT_INFORMATION, max_iterations: int = 100, tolerance: float = 1e-4
) -> Aggregate:
    """Fit by variational Bayes, every annotator's matrix drawn towards that of all annotators.

    `strength` is how many observations the common row is worth. Class shares stay those of the votes: re-estimated,
    they follow what the matrices have already shifted.
    """
    log_shares = np.log(class_shares(votes.shares))

    def step(posterior: Floats) -> Floats:
        confusion = votes.confusion(posterior)
        pseudo_counts = confusion + strength * _pooled(confusion)[:, None, :]
        log_said = digamma(pseudo_counts) - digamma(pseudo_counts.sum(axis=2, keepdims=True))
        return _posterior(votes, log_shares, log_said)

    return iterate("shrunken_dawid_skene", votes, step, max_iterations=max_iterations, tolerance=tolerance)


def _posterior(votes: Votes, log_shares: Floats, log_said: Floats) -> Floats:
    """(L, I) from log class shares (L, 1) and log p(said | true) as (L true, W, L said)."""
    of_each_vote = log_said.reshape(len(votes.labels), -1)[:, votes.cell]
    return normalised(log_shares + votes.by_item(of_each_vote))[0]


def _pooled(confusion: Floats) -> Floats:
    """The matrix of all annotators together, (L true, L said); a row without any votes says its own label."""
    num_labels = len(confusion)
    common = confusion.sum(axis=1) + 0.5 * (np.eye(num_labels) + 1.0 / num_labels)
    return np.asarray(common / common.sum(axis=1, keepdims=True))
