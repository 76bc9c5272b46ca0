"""Some real optimizer steps, to know how fast a machine trains a model and how large a batch it holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch

from instructglm.config.training import TrainingSettings
from instructglm.core.errors import RunError
from instructglm.core.progress import Progress
from instructglm.data.features import Feature
from instructglm.models.memory import PeakMemory, device_memory
from instructglm.report.estimate import Probe
from instructglm.training.batches import Batch, micro_batches
from instructglm.training.loss import arithmetic, has_plain_head, weighted_count, weighted_nats
from instructglm.training.monitor import num_checks
from instructglm.training.optimizers import make_optimizer
from instructglm.training.plan import make_plan
from instructglm.training.setting import Setting
from instructglm.training.workload import VALIDATION_FACTOR, largest_batch, num_tokens, workload
from instructglm.tuning import TunedModel

_TIMED_STEPS = 3
_TIMED_VALIDATION = 4  # batches
MOST = 0.8
"""The share of a machine's free memory that is taken: beyond it, the machine might begin to swap."""


def probe(
    tuned: TunedModel,
    train_features: Sequence[Feature],
    validation_features: Sequence[Feature],
    settings: TrainingSettings,
    setting: Setting,
    peak: PeakMemory,
    progress: Progress,
) -> Probe:
    """What training takes here. The weights of `tuned` are of no use afterwards; nothing is written.

    Raises:
        RunError: not even one sequence at a time fits.
        OutOfMemoryError: likewise, on an accelerator.
    """
    trial = _Trial(tuned, train_features, settings, setting)
    longest = sorted(train_features, key=num_tokens, reverse=True)[: settings.batch_size]
    bound = sum(sorted((len(feature.outputs) for feature in train_features), reverse=True)[: settings.batch_size])
    wanted = min(settings.micro_batch_size, bound)
    fitting = _Fitting(trial, peak)
    trial.step(longest, 1)  # the optimizer's state is there from now on
    progress.say("probe: looking for the largest micro_batch_size")
    largest = largest_that_fits(fitting, wanted, bound)
    if not largest:
        raise RunError("not even one sequence at a time fits into memory", hint="Lower data.max_length.")
    size = min(wanted, largest)
    progress.say(f"probe: {_TIMED_STEPS} steps at micro_batch_size {size}")
    tokens, seconds = trial.timed_steps(size)
    whole = workload(train_features, settings, setting.seed, packed=setting.packed)
    return Probe(
        micro_batch_size=size,
        num_timed_steps=_TIMED_STEPS,
        input_tokens_per_s=tokens / seconds,
        peak_memory=fitting.peaks[size],
        memory_measure=peak.measure,
        largest_micro_batch_size=largest,
        num_step_sequences=bound,
        training_s=whole.num_input_tokens / tokens * seconds,
        validation_s=trial.validation_seconds(validation_features) * num_checks(settings.eval_steps, whole.num_steps),
    )


def largest_that_fits(fits: Callable[[int], bool], wanted: int, bound: int) -> int:
    """The largest size from 1 to `bound` that fits, 0 if none does; doubled, then bisected.

    `wanted` is tried on the way up. What fits is supposed to fit in any smaller size.
    """
    good, size = 0, 1
    while fits(size):
        good = size
        if good == bound:
            return bound
        size = min(bound, 2 * good)
        if good < wanted < size:
            size = wanted
    bad = size
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    return good


class _Fitting:
    """Whether the largest pass of a size fits: an accelerator is asked, of a CPU it is foreseen from smaller sizes."""

    def __init__(self, trial: _Trial, peak: PeakMemory) -> None:
        self.peaks: dict[int, int] = {}
        """Size -> bytes at most so far, when it had been tried."""
        self._trial, self._peak = trial, peak
        self._on_cpu = trial.setting.device.type == "cpu"
        self._start = peak.held
        self._room = MOST * device_memory(trial.setting.device).available
        self._last = 1

    def __call__(self, size: int) -> bool:
        if self._on_cpu and self._grown() / self._last * size > self._room:
            return False
        if not self._tried(size):
            self._trial.give_up()  # and not while the error holds on to what was there
            return False
        self.peaks[size], self._last = self._peak.bytes, size
        return True

    def _tried(self, size: int) -> bool:
        try:
            self._trial.largest_pass(size)
        except torch.OutOfMemoryError:
            return False
        return True

    def _grown(self) -> int:
        return max(self._peak.bytes - self._start, 1)


class _Trial:
    """A model in training that keeps nothing of it."""

    def __init__(
        self, tuned: TunedModel, features: Sequence[Feature], settings: TrainingSettings, setting: Setting
    ) -> None:
        self.setting = setting
        self._tuned, self._features, self._settings = tuned, features, settings
        if settings.gradient_checkpointing:
            tuned.checkpoint_gradients()
        self._optimizer = make_optimizer(tuned, settings)
        self._plan = make_plan([feature.num_tokens for feature in features], settings, setting.seed)
        tuned.model.eval()
        with arithmetic(setting.device, setting.dtype):
            shortest = self._batches([min(features, key=num_tokens)], 1)[0]
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

    def timed_steps(self, size: int) -> tuple[int, float]:
        """Tokens and seconds of the run's first steps, after one that is not timed."""
        steps = [self._features_of(step) for step in range(_TIMED_STEPS)]
        self.step(steps[0], size)
        self._settle()
        started = time.perf_counter()
        tokens = sum(self.step(features, size) for features in steps)
        self._settle()
        return tokens, time.perf_counter() - started

    def largest_pass(self, size: int) -> None:
        """Forward and backward over the largest batch of this size, with all gradients there."""
        settings = self._settings.model_copy(update={"micro_batch_size": size})
        batch = largest_batch(self._features, settings, self.setting.pad_id, packed=self.setting.packed)
        self._tuned.model.train()
        for weight in self._tuned.trainable().values():
            weight.grad = torch.zeros_like(weight)
        self._backward(batch, 1.0)
        self._optimizer.zero_grad(set_to_none=True)

    def give_up(self) -> None:
        """Have an accelerator's memory back."""
        self._optimizer.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()

    def validation_seconds(self, features: Sequence[Feature]) -> float:
        """Of one check, from some of its batches."""
        batches = self._batches(features, VALIDATION_FACTOR * self._settings.micro_batch_size) if features else []
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
        return micro_batches(features, size, self.setting.pad_id, packed=self.setting.packed)

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
