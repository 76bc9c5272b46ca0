"""Who knows and who only clicks: MACE.

D. Hovy, T. Berg-Kirkpatrick, A. Vaswani and E. Hovy, "Learning whom to trust
with MACE", NAACL, 2013. An annotator knows the answer to an item or not; who
does not know draws a label from a distribution of their own, whatever the
truth. Variational Bayes with the paper's priors, from several random starts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from instructglm.annotation.aggregation.aggregate import Aggregate
from instructglm.annotation.aggregation.digamma import digamma
from instructglm.annotation.aggregation.fitting import normalised
from instructglm.annotation.aggregation.votes import Votes
from instructglm.annotation.columns import Floats

_KNOWING_PRIOR = 0.5
_STRATEGY_PRIOR = 10.0
_LOWEST_START, _HIGHEST_START = 1.0, 2.5


@dataclass(frozen=True)
class _Fit:
    posterior: Floats  # (L, I)
    log_likelihood: float
    num_iterations: int
    converged: bool


@dataclass(frozen=True)
class _Annotators:
    """p(knows) and p(does not) as (2, W), and what who does not know says, (W, L); variational, so below 1 in sum."""

    knowing: Floats
    strategy: Floats


def mace(
    votes: Votes,
    rng: np.random.Generator,
    *,
    num_restarts: int = 10,
    max_iterations: int = 50,
    tolerance: float = 1e-4,
) -> Aggregate:
    """The best of `num_restarts` fits by the likelihood of the votes."""
    fits = [_fit(votes, rng, max_iterations, tolerance) for _ in range(num_restarts)]
    best = max(fits, key=lambda fit: fit.log_likelihood)
    posterior = np.ascontiguousarray(best.posterior.T)
    return Aggregate("mace", votes, posterior, best.num_iterations, best.converged)


def _fit(votes: Votes, rng: np.random.Generator, max_iterations: int, tolerance: float) -> _Fit:
    annotators = _random(votes, rng)
    posterior, knew, likelihood = _expectation(votes, annotators)
    for iteration in range(1, max_iterations + 1):
        before = posterior
        posterior, knew, likelihood = _expectation(votes, _maximisation(votes, knew))
        if np.abs(posterior - before).max() <= tolerance:
            return _Fit(posterior, likelihood, iteration, converged=True)
    return _Fit(posterior, likelihood, max_iterations, converged=False)


def _random(votes: Votes, rng: np.random.Generator) -> _Annotators:
    num_labels, num_annotators, _ = votes.shape
    knowing = rng.uniform(_LOWEST_START, _HIGHEST_START, (2, num_annotators))
    strategy = rng.uniform(_LOWEST_START, _HIGHEST_START, (num_annotators, num_labels))
    return _Annotators(knowing / knowing.sum(axis=0), strategy / strategy.sum(axis=1, keepdims=True))


def _expectation(votes: Votes, annotators: _Annotators) -> tuple[Floats, Floats, float]:
    """The posterior (L, I), the probability that each vote was given knowingly (N,), and the log-likelihood."""
    guessed = annotators.knowing[1][votes.annotator] * annotators.strategy.ravel()[votes.cell]
    knew = annotators.knowing[0][votes.annotator]
    gained = votes.by_label_and_item(np.log(knew + guessed) - np.log(guessed))
    log_joint = gained + votes.by_item(np.log(guessed)) - np.log(len(votes.labels))
    posterior, likelihood = normalised(log_joint)
    return posterior, posterior[votes.label, votes.item] * knew / (knew + guessed), likelihood


def _maximisation(votes: Votes, knew: Floats) -> _Annotators:
    guesses = votes.by_annotator_and_label(1.0 - knew)
    knowing = np.stack([votes.by_annotator(knew), guesses.sum(axis=1)]) + _KNOWING_PRIOR
    strategy = guesses + _STRATEGY_PRIOR
    return _Annotators(
        np.exp(digamma(knowing) - digamma(knowing.sum(axis=0))),
        np.exp(digamma(strategy) - digamma(strategy.sum(axis=1, keepdims=True))),
    )
