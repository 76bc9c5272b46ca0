"""All that a project's judgements say of agreement, in one call."""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from instructglm.annotation.agreement.coefficient import CONFIDENCE, NUM_DRAWS
from instructglm.annotation.agreement.confusions import Confusion, confusions
from instructglm.annotation.agreement.distances import Level
from instructglm.annotation.agreement.groups import GroupAgreement, agreement_by, agreement_of_items
from instructglm.annotation.agreement.judgements import Judgements
from instructglm.annotation.agreement.people import (
    PairAgreement,
    PersonAgreement,
    agreement_of_pairs,
    agreement_with_others,
    agreement_with_self,
)
from instructglm.core.records import Record

_DRAWS_OF_PARTS = 200
_MAX_PAIRS = 1000  # 300 people make 45,000, which nobody reads and which take half a minute
_NUM_CONFUSIONS = 10


class _Intervals(TypedDict):
    num_draws: int
    confidence: float


class ProjectAgreement(Record):
    """Agreement as a whole, by domain and round, of every annotator and of every two, and of people with themselves.

    `with_self` is empty where nobody saw an item in two rounds. `pairs` holds the 1,000 with most items in common,
    `confusions` the ten most frequent; `agreement_of_pairs` and the function `confusions` give all.
    """

    level: Level
    whole: GroupAgreement
    domains: tuple[GroupAgreement, ...]
    rounds: tuple[GroupAgreement, ...]
    with_others: tuple[PersonAgreement, ...]
    pairs: tuple[PairAgreement, ...]
    with_self: tuple[PersonAgreement, ...]
    confusions: tuple[Confusion, ...]


def agreement_of_project(
    judgements: Judgements,
    rng: np.random.Generator,
    *,
    num_draws: int = NUM_DRAWS,
    num_draws_of_parts: int = _DRAWS_OF_PARTS,
    confidence: float = CONFIDENCE,
) -> ProjectAgreement:
    """Every figure with its interval: of `num_draws` resamples for the whole, of `num_draws_of_parts` for all else.

    Everyone's latest word on an item counts; in a round, their last word in that round.
    """
    of_parts = _Intervals(num_draws=num_draws_of_parts, confidence=confidence)
    return ProjectAgreement(
        level=judgements.level,
        whole=agreement_of_items(judgements, rng, num_draws=num_draws, confidence=confidence),
        domains=agreement_by(judgements, "domain", rng, **of_parts),
        rounds=agreement_by(judgements, "round", rng, **of_parts),
        with_others=agreement_with_others(judgements, rng, **of_parts),
        pairs=agreement_of_pairs(judgements, rng, max_pairs=_MAX_PAIRS, **of_parts),
        with_self=agreement_with_self(judgements, rng, **of_parts),
        confusions=confusions(judgements, _NUM_CONFUSIONS),
    )
