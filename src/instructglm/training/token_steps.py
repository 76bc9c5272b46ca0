"""One epoch cut into optimizer steps that fill a budget of tokens.

In their random order, examples are taken in windows that fill `_STEPS` steps.
Within a window the long ones go first, each into the step that holds the fewest
tokens so far (Graham 1969, "longest processing time"). So the steps of a window
are alike: each reads the same mixture of long and short, where a packer that
looks for the tightest fit would put like with like and make gradients of whole
steps lean to one kind of example. Which goes first is decided by length times
chance, or a small dataset, which is a single window, would have the same steps
in every epoch. Where some then fit nowhere, as in steps of a few examples, it is
done again, and the shortest go where they fit most tightly. What fits into no
step waits for the next window.
"""

from __future__ import annotations

import bisect
import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int32]

_STEPS = 64  # of a window
_CHANCE = 0.7  # a length counts for that much of itself, or more, when the longest are looked for
_LEVEL = 0.7  # of a budget that is dealt out evenly where steps are hard to fill
_FILL = 0.995  # of a window's budget is read at once: with no room to level in, the shortest would wait again and again


@dataclass(frozen=True)
class TokenSteps:
    """The examples of an epoch, step after step."""

    order: Indices  # (N,) every example once
    ends: NDArray[np.int64]  # (S,) where each step ends in it

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, step: int) -> list[int]:
        begin = int(self.ends[step - 1]) if step else 0
        found: list[int] = self.order[begin : self.ends[step]].tolist()
        return found


def cut_by_tokens(lengths: Indices, budget: int, rng: np.random.Generator) -> TokenSteps:
    """All examples in steps of at most `budget` tokens, every one whole and once.

    Takes 4 bytes an example for their order, 8 a step, and what a window needs.

    Args:
        lengths: (N,) tokens of each example, none more than `budget`.
        budget: tokens of a step.
        rng: decides the order.
    """
    order = np.arange(len(lengths), dtype=np.int32)
    rng.shuffle(order)
    room = math.ceil(_STEPS * _FILL * budget)
    likely = math.ceil(1.1 * room / max(1.0, float(lengths.mean()))) + 1  # examples of a window
    sizes: list[NDArray[np.int64]] = []
    waiting, taken, done = order[:0], 0, 0
    while taken < len(order) or len(waiting):
        following = order[taken : taken + likely]
        count = _that_fit(lengths[following], room - int(lengths[waiting].sum()))
        taken += count
        window = np.concatenate([waiting, following[:count]])
        steps, counts, waiting = _fill(window, lengths[window], budget, rng, last=taken == len(order))
        mixed = rng.permutation(len(counts))
        begin, done = done, taken - len(waiting)
        order[begin:done] = np.concatenate([steps[place] for place in mixed])  # all of it has been taken
        sizes.append(counts[mixed])
    return TokenSteps(order, np.concatenate(sizes).cumsum())


def _that_fit(lengths: Indices, room: int) -> int:
    return int(np.searchsorted(lengths.cumsum(dtype=np.int64), room, side="right"))


def _fill(
    window: Indices, lengths: Indices, budget: int, rng: np.random.Generator, *, last: bool
) -> tuple[Sequence[Indices], NDArray[np.int64], Indices]:
    """The window's steps, how many examples each has, and the examples that fit into none.

    The last window of an epoch takes as many steps as it needs.
    """
    first = np.argsort(-lengths * rng.uniform(_CHANCE, 1, len(lengths)))
    window, lengths = window[first], lengths[first]
    num_steps = math.ceil(int(lengths.sum()) / budget) if last else _STEPS
    where = _place(lengths, num_steps, budget)
    while last and (left := int(lengths[where == num_steps].sum())):
        num_steps += math.ceil(left / budget)
        where = _place(lengths, num_steps, budget)
    counts = np.bincount(where, minlength=num_steps + 1)
    *steps, waiting = np.split(window[np.argsort(where, kind="stable")], counts.cumsum()[:-1])
    held = counts[:-1] > 0
    return [step for step in steps if len(step)], counts[:-1][held], waiting


def _place(lengths: Indices, num_steps: int, budget: int) -> NDArray[np.int64]:
    """The step of each example, or `num_steps` where it fits into none."""
    level = _level(lengths.tolist(), num_steps, budget)
    if (level < num_steps).all():
        return level
    tight = _level(lengths.tolist(), num_steps, budget, share=_LEVEL)
    return min(level, tight, key=lambda where: int(lengths[where == num_steps].sum()))


def _level(lengths: Sequence[int], num_steps: int, budget: int, share: float = 1.0) -> NDArray[np.int64]:
    """Each into the emptiest step, until steps hold this share of their budgets; then where it fits most tightly."""
    steps = [(0, step) for step in range(num_steps)]  # a heap: the emptiest is the first
    where: list[int] = []
    left = share * num_steps * budget
    for length in lengths:
        held, step = steps[0]
        if left < 0:
            break
        if held + length > budget:
            where.append(num_steps)
        else:
            heapq.heapreplace(steps, (held + length, step))
            where.append(step)
            left -= length
    return np.array(where + _tight(lengths[len(where) :], steps, budget), dtype=np.int64)


def _tight(lengths: Sequence[int], steps: Sequence[tuple[int, int]], budget: int) -> list[int]:
    rooms = sorted((budget - held, step) for held, step in steps)
    where = []
    for length in lengths:
        place = bisect.bisect_left(rooms, (length, -1))
        if place == len(rooms):
            where.append(len(steps))
        else:
            room, step = rooms.pop(place)
            bisect.insort(rooms, (room - length, step))
            where.append(step)
    return where
