"""The steps and passes of a run, tried out: each as in training, of any size, and nothing is kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

import torch

from instructglm.config.training import TrainingSettings
from instructglm.data.features import Feature
from instructglm.training.batches import Batch
from instructglm.training.loss import arithmetic, has_plain_head, weighted_count, weighted_nats
from instructglm.training.optimizers import make_optimizer
from instructglm.training.plan import make_plan
from instructglm.training.setting import Setting
from instructglm.training.workload import largest_batch, passes, validation_passes
from instructglm.tuning import TunedModel

_TIMED_VALIDATION = 4  # batches
Limit = Literal["micro_batch_size", "tokens_per_micro_batch"]
"""The settings that limit a forward pass."""


class Trial:
    """A model in training that keeps nothing of it.

    Args:
        tuned: the model; its weights are of no use afterwards.
        features: what it is trained on.
        settings: of the run.
        setting: of the run.
        limit: the setting that a method's `size` takes the place of.
    """

    def __init__(
        self,
        tuned: TunedModel,
        features: Sequence[Feature],
        settings: TrainingSettings,
        setting: Setting,
        limit: Limit,
    ) -> None:
        self.setting, self._limit = setting, limit
        self._tuned, self._features, self._settings = tuned, features, settings
        if settings.gradient_checkpointing:
            tuned.checkpoint_gradients()
        self._optimizer = make_optimizer(tuned, settings)
        self._plan = make_plan([feature.num_tokens for feature in features], settings, setting.seed)
        tuned.model.eval()
        with arithmetic(setting.device, setting.dtype):
            shortest = self._batches([min(features, key=lambda feature: feature.num_tokens)], 1)[0]
            self._plain_head = has_plain_head(tuned.model, shortest.to(setting.device))

    def step(self, features: Sequence[Feature], size: int) -> int:
        """One optimizer step as in training; the tokens it read."""
        batches = self._batches(features, size)
        total = weighted_count(batches)
        self._tuned.model.train()
        for batch in batches:
            self._backward(batch, total)
        torch.nn.utils.clip_grad_norm_(self._tuned.trainable().values(), self._settings.max_grad_norm)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return sum(batch.num_tokens() for batch in batches)

    def timed_steps(self, number: int, size: int) -> tuple[int, float]:
        """Tokens and seconds of the run's first steps, after one that is not timed."""
        steps = [self._features_of(step) for step in range(number)]
        self.step(steps[0], size)
        self._settle()
        started = time.perf_counter()
        tokens = sum(self.step(features, size) for features in steps)
        self._settle()
        return tokens, time.perf_counter() - started

    def largest_pass(self, size: int) -> None:
        """Forward and backward over the largest batch of this size, with all gradients there."""
        self._tuned.model.train()
        for weight in self._tuned.trainable().values():
            weight.grad = torch.zeros_like(weight)
        self._backward(self.largest(size), 1.0)
        self._optimizer.zero_grad(set_to_none=True)

    def largest(self, size: int) -> Batch:
        """The largest batch of this size that may come."""
        return largest_batch(self._features, self._limited(size), self.setting.pad_id, packed=self.setting.packed)

    def give_up(self) -> None:
        """Have an accelerator's memory back."""
        self._optimizer.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()

    def validation_seconds(self, features: Sequence[Feature]) -> float:
        """Of one check, from some of its batches."""
        batches = validation_passes(features, self._settings, self.setting.pad_id, packed=self.setting.packed)
        some = batches[:_TIMED_VALIDATION]
        self._tuned.model.eval()
        started = time.perf_counter()
        with torch.no_grad():
            for batch in some:
                self._nats(batch).item()
        seconds = time.perf_counter() - started
        read = sum(batch.num_tokens() for batch in some)
        return seconds / read * sum(batch.num_tokens() for batch in batches) if read else 0.0

    def _features_of(self, step: int) -> list[Feature]:
        return [self._features[index] for index in self._plan.indices(step % self._plan.num_steps)]

    def _batches(self, features: Sequence[Feature], size: int) -> list[Batch]:
        return passes(features, self._limited(size), self.setting.pad_id, packed=self.setting.packed)

    def _limited(self, size: int) -> TrainingSettings:
        return self._settings.model_copy(update={self._limit: size})

    def _nats(self, batch: Batch) -> torch.Tensor:
        with arithmetic(self.setting.device, self.setting.dtype):
            return weighted_nats(self._tuned.model, batch.to(self.setting.device), plain_head=self._plain_head)

    def _backward(self, batch: Batch, total: float) -> None:
        loss = self._nats(batch) / total
        loss.item()  # as training waits for it
        loss.backward()  # type: ignore[no-untyped-call]

    def _settle(self) -> None:
        if self.setting.device.type == "cuda":
            torch.cuda.synchronize(self.setting.device)
