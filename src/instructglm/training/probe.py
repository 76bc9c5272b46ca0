"""Some real optimizer steps, to know how fast a machine trains a model and how large a batch it holds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from instructglm.config.training import TrainingSettings
from instructglm.core.errors import RunError
from instructglm.core.progress import Progress
from instructglm.data.features import Feature
from instructglm.models.memory import PeakMemory, device_memory
from instructglm.report.estimate import Probe
from instructglm.training.monitor import num_checks
from instructglm.training.setting import Setting
from instructglm.training.trial import Limit, Trial
from instructglm.training.workload import largest_batch, longest_alone, longest_step, most_sequences, workload
from instructglm.tuning import TunedModel

_TIMED_STEPS = 3
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
    limit = _Limit.of(train_features, settings, packed=setting.packed)
    trial = Trial(tuned, train_features, settings, setting, limit.name)
    fitting = _Fitting(trial, peak)
    trial.step(longest_step(train_features, settings), limit.first)  # the optimizer's state is there from now on
    progress.say(f"probe: looking for the largest {limit.name}")
    largest = largest_that_fits(fitting, limit.wanted, limit.bound, limit.first)
    if not largest:
        raise RunError("not even one sequence at a time fits into memory", hint="Lower data.max_length.")
    size = min(limit.wanted, largest)
    progress.say(f"probe: {_TIMED_STEPS} steps at {limit.name} {size}")
    if settings.eval_metrics and validation_features:
        progress.say("probe: the time of the task metrics (training.eval_metrics) is not measured, and not counted")
    tokens, seconds = trial.timed_steps(_TIMED_STEPS, size)
    whole = workload(train_features, settings, setting.seed, packed=setting.packed)
    return Probe(
        setting=limit.name,
        value=size,
        num_timed_steps=_TIMED_STEPS,
        input_tokens_per_s=tokens / seconds,
        peak_memory=fitting.peaks[size],
        memory_measure=peak.measure,
        largest=largest,
        whole_step=limit.bound,
        training_s=whole.num_input_tokens / tokens * seconds,
        validation_s=trial.validation_seconds(validation_features) * num_checks(settings.eval_steps, whole.num_steps),
    )


@dataclass(frozen=True)
class _Limit:
    """The setting that limits a forward pass, and between what its value is looked for."""

    name: Limit
    first: int
    """With which every pass is as small as it can be."""
    wanted: int
    """By the settings."""
    bound: int
    """With which the largest step is one pass."""

    @classmethod
    def of(cls, features: Sequence[Feature], settings: TrainingSettings, *, packed: bool) -> _Limit:
        if settings.micro_batch_size is not None:
            bound = most_sequences(features, settings)
            return cls("micro_batch_size", 1, min(settings.micro_batch_size, bound), bound)
        first = longest_alone(features, packed=packed)
        unlimited = settings.model_copy(update={"tokens_per_micro_batch": sys.maxsize})
        bound = largest_batch(features, unlimited, 0, packed=packed).input_ids.numel()
        return cls("tokens_per_micro_batch", first, min(max(first, settings.tokens_per_micro_batch), bound), bound)


def largest_that_fits(fits: Callable[[int], bool], wanted: int, bound: int, first: int = 1) -> int:
    """The largest size from `first` to `bound` that fits, 0 if none does; doubled, then bisected.

    `wanted` is tried on the way up. What fits is supposed to fit in any smaller
    size. What is found is at most `first` from the largest.
    """
    good, size = 0, first
    while fits(size):
        good = size
        if good == bound:
            return bound
        size = min(bound, 2 * good)
        if good < wanted < size:
            size = wanted
    bad = size
    while bad - good > first:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    return good


class _Fitting:
    """Whether the largest pass of a size fits: an accelerator is asked, of a CPU it is foreseen from smaller sizes."""

    def __init__(self, trial: Trial, peak: PeakMemory) -> None:
        self.peaks: dict[int, int] = {}
        """Size -> bytes at most so far, when it had been tried."""
        self._trial, self._peak = trial, peak
        self._on_cpu = trial.setting.device.type == "cpu"
        self._start = peak.held
        self._room = MOST * device_memory(trial.setting.device).available
        self._tokens = 0  # of the last pass, padding counted

    def __call__(self, size: int) -> bool:
        tokens = self._trial.largest(size).input_ids.numel()
        if self._on_cpu and self._grown() / (self._tokens or tokens) * tokens > self._room:
            return False
        if not self._tried(size):
            self._trial.give_up()  # and not while the error holds on to what was there
            return False
        self.peaks[size], self._tokens = self._peak.bytes, tokens
        return True

    def _tried(self, size: int) -> bool:
        try:
            self._trial.largest_pass(size)
        except torch.OutOfMemoryError:
            return False
        return True

    def _grown(self) -> int:
        return max(self._peak.bytes - self._start, 1)
