"""How good outputs are, from who was ranked above whom.

R. A. Bradley and M. E. Terry, "Rank analysis of incomplete block designs",
Biometrika, 1952, with ties as in R. R. Davidson, "On extending the
Bradley-Terry model to accommodate ties in paired comparison experiments",
Journal of the American Statistical Association, 1970: of two outputs of
strengths a and b the first wins with a, the second with b, and they tie with
nu sqrt(ab), each divided by the sum of the three.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from instructglm.annotation.columns import Floats

_MAX_NEWTON_STEPS = 100
_SETTLED = 1e-10  # the largest step of the last round, in log-strength


@dataclass(frozen=True)
class Strengths:
    """Log-strengths of M outputs with a mean of 0, and standard errors around it; a difference of log 3 wins 3 to 1.

    `tie` is Davidson's nu: 0 where nobody ever tied. `num_comparisons[i]` counts those in which output i stood.
    """

    names: tuple[Any, ...]
    log_strength: Floats  # (M,)
    standard_error: Floats  # (M,)
    tie: float
    num_comparisons: Floats  # (M,)

    @property
    def order(self) -> tuple[Any, ...]:
        """The names, strongest first; equally strong ones in the order of `names`."""
        return tuple(self.names[index] for index in np.argsort(-self.log_strength.round(9), kind="stable"))

    def preference(self) -> Floats:
        """p(row beats column), (M, M), a tie counting half; 0.5 on the diagonal."""
        wins, ties = _probabilities(self.log_strength, np.log(self.tie) if self.tie else -np.inf)
        return np.asarray(wins + ties / 2.0)


@dataclass(frozen=True)
class Comparisons:
    """`wins[i, j]`: how often output i was ranked above j; `ties[i, j]` = `ties[j, i]`: how often as good."""

    names: tuple[Any, ...]
    wins: Floats  # (M, M)
    ties: Floats  # (M, M)


def comparisons_of_rankings(rankings: Iterable[Mapping[Any, float]]) -> Comparisons:
    """Every pair of outputs in every ranking. A ranking gives each output its rank: 1 is best, equal ranks tie.

    Outputs that a ranking leaves out are in none of its pairs.
    """
    rankings = list(rankings)
    number: dict[Hashable, int] = {}
    for ranking in rankings:
        for name in ranking:
            number.setdefault(name, len(number))
    wins, ties = np.zeros((2, len(number), len(number)))
    for ranking in rankings:
        for (one, its_rank), (other, other_rank) in combinations(ranking.items(), 2):
            pair = number[one], number[other]
            if its_rank == other_rank:
                ties[pair] += 1.0
                ties[pair[::-1]] += 1.0
            else:
                wins[pair if its_rank < other_rank else pair[::-1]] += 1.0
    return Comparisons(tuple(number), wins, ties)


def bradley_terry(comparisons: Comparisons, *, prior: float = 1.0) -> Strengths:
    """The likeliest strengths, by Newton's method.

    Every output begins with `prior` comparisons against an imaginary one in the middle, half won, half lost. So one
    that was never beaten stays finite, and outputs that were never compared can be.

    The standard errors take every comparison for independent of all others. The pairs of one ranking are not: of
    rankings of three outputs or more the errors are as a rule too small.

    Raises:
        ValueError: there is nothing to compare, or `prior` is not above 0.
    """
    if not comparisons.names or prior <= 0.0:
        raise ValueError(f"{len(comparisons.names)} outputs and a prior of {prior}: expected one or more, and above 0")
    point = np.zeros(len(comparisons.names) + 1)  # log-strengths, then log nu
    for _ in range(_MAX_NEWTON_STEPS):
        gradient, information = _derivatives(point, comparisons, prior)
        move = np.linalg.solve(information, gradient)
        # The log-likelihood is concave: a step of bounded length cannot leave for good.
        point = point + move * min(1.0, 1.0 / max(np.abs(move).max(), 1e-12))
        if np.abs(move).max() < _SETTLED:
            break
    covariance: Floats = np.linalg.inv(_derivatives(point, comparisons, prior)[1])[:-1, :-1].astype(np.float64)
    strengths, errors = _around_their_mean(point[:-1], covariance)
    games = (comparisons.wins + comparisons.wins.T + comparisons.ties).sum(axis=1)
    nu = float(np.exp(point[-1])) if comparisons.ties.any() else 0.0
    return Strengths(comparisons.names, strengths, errors, nu, games)


def _around_their_mean(strengths: Floats, covariance: Floats) -> tuple[Floats, Floats]:
    """Strengths (M,) less their mean, and the standard errors of these differences, (M,), from the covariance (M, M).

    Comparisons say nothing of the mean itself. The prior alone settles it, and its error would outlast all data.
    """
    centring = np.eye(len(strengths)) - 1.0 / len(strengths)
    return centring @ strengths, np.sqrt(np.diag(centring @ covariance @ centring))


def _probabilities(log_strength: Floats, log_nu: float) -> tuple[Floats, Floats]:
    """p(row beats column) and p(they tie), (M, M) each."""
    row, column = log_strength[:, None], log_strength[None, :]
    log_tie = log_nu + (row + column) / 2.0
    total = np.logaddexp(np.logaddexp(row, column), log_tie)
    return np.exp(row - total), np.exp(log_tie - total)


def _derivatives(point: Floats, comparisons: Comparisons, prior: float) -> tuple[Floats, Floats]:
    """Gradient (M + 1,) of the log-posterior and its negative Hessian."""
    wins, ties = comparisons.wins, comparisons.ties
    games = wins + wins.T + ties
    with_ties = bool(ties.any())
    win, tie = _probabilities(point[:-1], point[-1] if with_ties else -np.inf)
    score = win + tie / 2.0  # expected points of the row: 1 for winning, a half for a tie
    variance = games * (win + tie / 4.0 - score**2)
    shared = games * (tie / 2.0 - score * tie)  # covariance of the points with tying
    middle = 1.0 / (1.0 + np.exp(-point))
    weight = np.append(np.full(len(point) - 1, prior), 1.0)
    gradient = weight * (0.5 - middle)
    gradient[:-1] += (wins + ties / 2.0 - games * score).sum(axis=1)
    information = np.diag(weight * middle * (1.0 - middle))
    information[:-1, :-1] += np.diag(variance.sum(axis=1)) - variance
    if with_ties:  # each pair stands in the sums twice, hence the halves
        gradient[-1] += (ties - games * tie).sum() / 2.0
        information[:-1, -1] = information[-1, :-1] = shared.sum(axis=1)
        information[-1, -1] += (games * tie * (1.0 - tie)).sum() / 2.0
    return gradient, information
