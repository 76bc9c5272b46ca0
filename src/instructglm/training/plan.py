"""Which prompts each optimizer step reads."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from instructglm.config.training import TrainingSettings
from instructglm.core.errors import RunError
from instructglm.core.seeds import derived_seed
from instructglm.training.token_steps import Indices, TokenSteps, cut_by_tokens

_FULL = 0.9  # of the budget; what is less is told


class Plan(Protocol):
    """Which prompts each optimizer step reads, with all their outputs.

    A pure function of the seed and the step, so that a resumed run needs to
    remember nothing but its step.
    """

    @property
    def num_steps(self) -> int:
        """Of the whole run."""

    def epoch(self, step: int) -> float:
        """Epochs done after `step` steps."""

    def begin(self, epoch: int) -> int:
        """The step with which an epoch begins (the first is 0), at the latest the one after the run's last."""

    def indices(self, step: int) -> list[int]:
        """The prompts of step `step` (the first is 0)."""

    def note(self) -> str | None:
        """What a user should know of it."""


@dataclass(frozen=True)
class PromptPlan:
    """The same number of prompts at each step, but for the last of an epoch."""

    num_prompts: int
    batch_size: int
    num_steps: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(self.num_prompts / self.batch_size)

    def epoch(self, step: int) -> float:
        return step / self.steps_per_epoch

    def begin(self, epoch: int) -> int:
        return epoch * self.steps_per_epoch

    def indices(self, step: int) -> list[int]:
        epoch, index = divmod(step, self.steps_per_epoch)
        order = _permutation(self.seed, epoch, self.num_prompts)
        return [int(i) for i in order[index * self.batch_size : (index + 1) * self.batch_size]]

    def note(self) -> None:
        return None


class TokenPlan:
    """As many prompts at each step as fill a budget of tokens. Epochs may differ by a step or so, as their order does.

    Args:
        lengths: (N,) tokens of each prompt with all its outputs, none more than `budget`.
        budget: tokens of a step.
        num_epochs: how often every prompt is read; of the last epoch, perhaps a part.
        max_steps: where the run ends at the latest.
        seed: decides the order.
    """

    def __init__(self, lengths: Indices, budget: int, num_epochs: float, max_steps: int | None, seed: int) -> None:
        self.budget, self.num_tokens, self.longest = budget, int(lengths.sum(dtype=np.int64)), int(lengths.max())
        self._steps: Callable[[int], TokenSteps] = lru_cache(maxsize=1)(
            lambda epoch: cut_by_tokens(lengths, budget, _order(seed, epoch))
        )
        self._ends = [0]  # of epochs, in steps
        while len(self._ends) <= math.ceil(num_epochs) and (max_steps is None or self._ends[-1] < max_steps):
            self._ends.append(self._ends[-1] + len(self._steps(len(self._ends) - 1)))
        self.num_steps = self._steps_of(num_epochs, max_steps)

    def _steps_of(self, num_epochs: float, max_steps: int | None) -> int:
        *_, before, last = self._ends
        part = num_epochs - math.floor(num_epochs)
        if part and len(self._ends) > math.ceil(num_epochs):
            last = before + math.ceil(part * (last - before))
        return min(last, max_steps or last)

    @property
    def efficiency(self) -> float:
        """The share of the budget that the steps of the first epoch fill, 0 to 1."""
        return self.num_tokens / (self.budget * self._ends[1])

    def epoch(self, step: int) -> float:
        index, inside = self._locate(step)
        return index + inside / (self._ends[index + 1] - self._ends[index]) if inside else float(index)

    def begin(self, epoch: int) -> int:
        return self._ends[epoch]

    def indices(self, step: int) -> list[int]:
        index, inside = self._locate(step)
        return self._steps(index)[inside]

    def note(self) -> str | None:
        if self.efficiency >= _FULL:
            return None
        return (
            f"steps hold {self.efficiency:.0%} of training.tokens_per_batch ({self.budget}): there are "
            f"{self.num_tokens} tokens in an epoch, and the longest prompt has {self.longest} with all its outputs"
        )

    def _locate(self, step: int) -> tuple[int, int]:
        """The epoch that a step is of, and its place there."""
        index = bisect_right(self._ends, step) - 1
        return index, step - self._ends[index]


@lru_cache(maxsize=1)
def _permutation(seed: int, epoch: int, size: int) -> NDArray[np.int64]:
    return _order(seed, epoch).permutation(size)


def _order(seed: int, epoch: int) -> np.random.Generator:
    return np.random.default_rng(derived_seed(seed, "order", epoch))


def make_plan(lengths: Sequence[int], settings: TrainingSettings, seed: int) -> Plan:
    """The plan of a whole run over prompts that have so many tokens, all outputs counted.

    Raises:
        RunError: one prompt has more than `training.tokens_per_batch`.
    """
    if settings.tokens_per_batch is not None:
        array = np.array(lengths, dtype=np.int32)
        _require_fit(array, settings.tokens_per_batch)
        return TokenPlan(array, settings.tokens_per_batch, settings.num_train_epochs, settings.max_steps, seed)
    size = settings.batch_size
    assert size is not None  # the settings have one of the two
    steps = math.ceil(settings.num_train_epochs * math.ceil(len(lengths) / size))
    return PromptPlan(len(lengths), size, min(steps, settings.max_steps or steps), seed)


def _require_fit(lengths: Indices, budget: int) -> None:
    if lengths.max() > budget:
        raise RunError(
            f"prompt {lengths.argmax()} has {lengths.max()} tokens with all its outputs; training.tokens_per_batch is "
            f"{budget}",
            hint=f"Set training.tokens_per_batch to {lengths.max()} or more, or leave the prompt out.",
        )
