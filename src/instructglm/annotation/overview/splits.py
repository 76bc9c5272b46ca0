"""How far people split on each instruction: what a reviewer should see first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from instructglm.annotation.agreement import disagreement_per_item
from instructglm.annotation.overview.questions import Asked, Said


def splits(said: Said, questions: Iterable[Asked]) -> dict[int, float]:
    """Instruction -> from 0 (all said the same) to 1 (the two ends of a scale), by the point most disputed.

    The point is a label, a rating or a preference, or whether an output may be
    used at all. Instructions of which only one person said something are left out.
    """
    found: dict[int, float] = {}
    for one in questions:
        item_of = dict(zip(one.judgements.items, one.instruction.tolist(), strict=True))
        for item, distance in disagreement_per_item(one.judgements).items():
            _raise(found, item_of[item], distance)
    for instruction, distance in _rejections(said).items():
        _raise(found, instruction, distance)
    return found


def _raise(found: dict[int, float], instruction: int, distance: float) -> None:
    found[instruction] = max(found.get(instruction, 0.0), distance)


def _rejections(said: Said) -> dict[int, float]:
    """The share of pairs of people of whom one rejects an output that the other lets stand, or the item itself."""
    pairs = np.stack([said.answered.ints("instruction"), said.answered.ints("annotator")], axis=1)
    voices = Counter(np.unique(pairs, axis=0)[:, 0].tolist())
    against = Counter((one.instruction, one.output) for one in said.rejected)
    found: dict[int, float] = {}
    for (instruction, _), number in against.items():
        n = voices[instruction]
        if n > 1:
            _raise(found, instruction, 2 * number * (n - number) / (n * (n - 1)))
    return found
