"""Which values people take for one another."""

from __future__ import annotations

import numpy as np

from instructglm.annotation.agreement.judgements import Judgements
from instructglm.core.records import Record


class Confusion(Record):
    """Two values that stood against each other in `num_pairs` of all `num_disagreements` pairs of unequal values."""

    first: str
    second: str
    num_pairs: int
    num_disagreements: int

    @property
    def share(self) -> float:
        return self.num_pairs / self.num_disagreements


def confusions(judgements: Judgements, k: int | None = None) -> tuple[Confusion, ...]:
    """The values that two people gave to one item, most frequent pair first, at most `k`; ties in the scale's order.

    Three people who say A, A and B are two pairs of A and B.
    """
    counts = judgements.latest.counts().astype(np.float64)
    together = counts.T @ counts
    one, other = np.triu_indices(len(together), 1)
    pairs = together[one, other].astype(np.int64)
    order = np.argsort(-pairs, kind="stable")
    found = [index for index in order.tolist() if pairs[index]][:k]
    names, total = judgements.values, int(pairs.sum())
    return tuple(
        Confusion(
            first=str(names[one[index]]),
            second=str(names[other[index]]),
            num_pairs=int(pairs[index]),
            num_disagreements=total,
        )
        for index in found
    )
