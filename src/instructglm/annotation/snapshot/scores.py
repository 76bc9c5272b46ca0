"""How good outputs are by what people said of them: ratings of many made one figure, and ranks made strengths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from instructglm.annotation.aggregation import bradley_terry, comparisons_of_rankings
from instructglm.annotation.aggregation.consensus import Consensus, consensus
from instructglm.annotation.columns import Floats, Ints
from instructglm.annotation.snapshot.said import Said
from instructglm.annotation.store.projects import Scale
from instructglm.annotation.store.tables import Kind

LOW, HIGH = 1.0, 5.0
"""The scale on which ratings leave the store, whatever theirs was: a weight has to be above 0."""


def on_scale(share: float) -> float:
    """A share of a scale (0 its lower end) as a rating from 1 to 5."""
    return LOW + (HIGH - LOW) * share


class Ratings(NamedTuple):
    """Everyone's mean over criteria of every output, as a share of the scale, and what all of them come to."""

    by_output: dict[int, dict[int, float]]
    """Output -> annotator -> share."""
    quality: dict[int, float]
    """Output -> share, 0 to 1."""
    fit: Consensus
    num_unusable: int
    """Ratings by a criterion that is no longer asked for, or off its scale as it is now."""


def rate(said: Said, criteria: Mapping[str, Scale]) -> Ratings:
    """Ratings, by the criteria and scales that hold."""
    ratings = said.of_kind(Kind.RATING)
    low, width = _scales(ratings, criteria)
    share = (ratings.value - low) / width
    usable = (share >= 0.0) & (share <= 1.0)  # not a number where there is no such criterion
    output, annotator, mean = _means(ratings.output[usable], ratings.annotator[usable], share[usable])
    fit = consensus(output, annotator, mean)
    by_output: dict[int, dict[int, float]] = {}
    for one, person, value in zip(output.tolist(), annotator.tolist(), mean.tolist(), strict=True):
        by_output.setdefault(one, {})[person] = value
    quality = dict(zip(fit.items.tolist(), np.clip(fit.quality, 0.0, 1.0).tolist(), strict=True))
    return Ratings(by_output, quality, fit, int((~usable).sum()))


def _scales(ratings: Said, criteria: Mapping[str, Scale]) -> tuple[Floats, Floats]:
    """Lower end and width of the scale of each rating, (N,) each; not a number where nobody asks for it any more."""
    ends = [(scale.low, scale.high) if (scale := criteria.get(name)) else (np.nan, np.nan) for name in ratings.criteria]
    table = np.array(ends, dtype=np.float64).reshape(-1, 2)[ratings.criterion]
    return table[:, 0], table[:, 1] - table[:, 0]


def _means(output: Ints, annotator: Ints, share: Floats) -> tuple[Ints, Ints, Floats]:
    """The mean of each annotator's ratings of each output, by output and annotator."""
    order = np.lexsort((annotator, output))
    pairs = np.stack([output, annotator])[:, order]
    is_new = np.append(True, (np.diff(pairs) != 0).any(axis=0))[: pairs.shape[1]]
    group = np.cumsum(is_new) - 1
    sums, numbers = np.bincount(group, share[order]), np.bincount(group)
    return pairs[0, is_new], pairs[1, is_new], sums / np.maximum(numbers, 1)


Rankings = Mapping[Any, Mapping[int, float]]
"""Who ranked (a person in a round) -> output -> rank, 1 the best."""


@dataclass
class RankStrengths:
    """Log-strengths of the outputs of one instruction at a time. Equal patterns of ranks are fitted once."""

    _known: dict[bytes, Floats] = field(default_factory=dict)

    def of(self, rankings: Rankings) -> dict[int, float]:
        """Output -> log-strength around the mean of its siblings; nothing where nobody compared two."""
        compared = comparisons_of_rankings(dict(sorted(one.items())) for one in rankings.values() if len(one) > 1)
        if not compared.names:
            return {}
        key = compared.wins.tobytes() + compared.ties.tobytes()
        if key not in self._known:
            self._known[key] = bradley_terry(compared).log_strength.round(9)
        return dict(zip(compared.names, self._known[key].tolist(), strict=True))
