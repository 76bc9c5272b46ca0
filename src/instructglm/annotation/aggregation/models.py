"""The models by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from instructglm.annotation.aggregation.aggregate import Aggregate
from instructglm.annotation.aggregation.dawid_skene import dawid_skene, shrunken_dawid_skene
from instructglm.annotation.aggregation.glad import glad
from instructglm.annotation.aggregation.mace import mace
from instructglm.annotation.aggregation.majority import majority_vote
from instructglm.annotation.aggregation.one_coin import one_coin
from instructglm.annotation.aggregation.votes import Votes

Model = Callable[[Votes, np.random.Generator], Aggregate]

MODELS: Mapping[str, Model] = {
    "majority_vote": lambda votes, rng: majority_vote(votes),
    "dawid_skene": lambda votes, rng: dawid_skene(votes),
    "shrunken_dawid_skene": lambda votes, rng: shrunken_dawid_skene(votes),
    "one_coin": lambda votes, rng: one_coin(votes),
    "glad": lambda votes, rng: glad(votes),
    "mace": mace,
}
"""Only `mace` draws from the generator; the others give the same answer without one."""
