"""Which prompts each optimizer step reads."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from instructglm.config.training import TrainingSettings
from instructglm.core.seeds import derived_seed


@dataclass(frozen=True)
class Plan:
    """Which prompts each optimizer step reads, with all their outputs.

    A pure function of the seed and the step, so that a resumed run needs to
    remember nothing but its step.
    """

    num_prompts: int
    batch_size: int
    num_steps: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(self.num_prompts / self.batch_size)

    def epoch(self, step: int) -> float:
        """Epochs done after `step` steps."""
        return step / self.steps_per_epoch

    def indices(self, step: int) -> list[int]:
        """The prompts of step `step` (the first is 0)."""
        epoch, index = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng(derived_seed(self.seed, "order", epoch)).permutation(self.num_prompts)
        return [int(i) for i in order[index * self.batch_size : (index + 1) * self.batch_size]]


def make_plan(num_prompts: int, settings: TrainingSettings, seed: int) -> Plan:
    """The plan of a whole run."""
    steps = math.ceil(settings.num_train_epochs * math.ceil(num_prompts / settings.batch_size))
    return Plan(num_prompts, settings.batch_size, min(steps, settings.max_steps or steps), seed)
