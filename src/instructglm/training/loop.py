"""The training loop: one optimizer step per batch of the plan, checks and checkpoints between steps."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.utils import clip_grad_norm_

from instructglm.config.training import TrainingSettings
from instructglm.core.errors import RunError
from instructglm.core.progress import Bar, Progress
from instructglm.core.seeds import derived_seed
from instructglm.data.features import Feature
from instructglm.training import sanity
from instructglm.training.checkpoint import (
    RunState,
    SaveClock,
    intact,
    load_best,
    resume,
    save_best,
    save_checkpoint,
)
from instructglm.training.interrupt import deferred_interrupt
from instructglm.training.metrics_log import MetricsLog, SilentLog
from instructglm.training.monitor import Check, steps_between_checks
from instructglm.training.optimizers import make_optimizer
from instructglm.training.passes import Passes
from instructglm.training.plan import make_plan
from instructglm.training.provenance import provenance
from instructglm.training.schedules import make_schedule
from instructglm.training.setting import Setting
from instructglm.training.trackers import open_trackers
from instructglm.training.validation import Validate, task_metrics
from instructglm.training.workload import validation_passes
from instructglm.tuning import TunedModel
from instructglm.tuning.shards import whole


def train(
    tuned: TunedModel,
    train_features: Sequence[Feature],
    validation_features: Sequence[Feature],
    settings: TrainingSettings,
    setting: Setting,
    folder: Path,
    progress: Progress,
    validate: Validate | None = None,
) -> RunState:
    """Move the weights of `tuned` and leave it with those of the best validation check.

    Checkpoints and `metrics.jsonl` go under `folder`; where checkpoints stand
    there already, the run goes on from the last and ends as if it had never
    stopped. `validate` gives the task metrics of the weights as they are, by
    name; it is called at every check.

    Raises:
        RunError: what is trained is no longer sane (`sanity`), or the run began with other data or settings.
        KeyboardInterrupt: after the step in progress and its checkpoint.
    """
    run = _Run(tuned, train_features, validation_features, settings, setting, folder, progress, validate)
    try:
        return run.go()
    except RunError as error:
        raise RunError(*error.faults, hint=f"{error.hint} {intact(run.checkpoints)}".rstrip()) from error


class _Run:
    """The state of one run between its steps."""

    def __init__(
        self,
        tuned: TunedModel,
        train_features: Sequence[Feature],
        validation_features: Sequence[Feature],
        settings: TrainingSettings,
        setting: Setting,
        folder: Path,
        progress: Progress,
        validate: Validate | None,
    ) -> None:
        self.tuned, self.settings, self.setting, self.progress = tuned, settings, setting, progress
        self.ranks, self.validate, self.folder = setting.ranks, validate, folder
        self.checkpoints = folder / "checkpoints"
        self.features = train_features
        self.plan = make_plan([feature.num_tokens for feature in train_features], settings, setting.seed)
        if note := self.plan.note():
            progress.say(note)
        self.eval_steps = steps_between_checks(settings.eval_steps, self.plan.num_steps)
        self.save_steps = settings.save_steps or self.eval_steps
        if settings.gradient_checkpointing:
            tuned.checkpoint_gradients()
        self.passes = Passes(tuned, train_features, settings, setting, progress.say)
        self.validation = validation_passes(validation_features, settings, setting.pad_id, packed=setting.packed)
        self.optimizer = make_optimizer(tuned, settings)
        torch.manual_seed(derived_seed(setting.seed, "dropout", *filter(None, [self.ranks.rank])))
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        made_with = self._made_with(validation_features)
        self.state = resume(self.checkpoints, tuned, self.optimizer, made_with, progress.say, self.ranks.rank)
        self.ranks.require_equal(step=self.state.step, num_steps=self.plan.num_steps)
        self.clock = SaveClock(settings.save_minutes)
        self.scheduler = make_schedule(self.optimizer, settings, self.plan.num_steps, self.state.step)
        log = folder / "metrics.jsonl"
        self.log = MetricsLog(log, self.state.step) if self.ranks.is_first else SilentLog()

    def go(self) -> RunState:
        if self.state.step:
            self.progress.say(f"training goes on from step {self.state.step} of {self.plan.num_steps}")
        names = self.settings.report_to if self.ranks.is_first else ()
        with (
            open_trackers(names, self.folder, self.state.step, self.progress.say) as self.log.trackers,
            deferred_interrupt(patient=self.ranks.world_size > 1) as interrupted,
            self.progress.stage("train", total=self.plan.num_steps, unit="step", done=self.state.step) as bar,
        ):
            if not self.state.step and self.validation and not self.state.watch.checks:
                self._check()
            while self.state.step < self.plan.num_steps and not self._finished():
                self._step(bar)
                self._after_step()
                stop = interrupted()
                if self.ranks.any(stop is not None):
                    self._save()
                    self.ranks.wait()  # for the first to have written it: when one process ends, all are ended
                    raise stop or KeyboardInterrupt
        self._keep_best()
        return self.state

    def _step(self, bar: Bar) -> None:
        """One optimizer step over the plan's next batch, in as many forward passes as it takes."""
        started = time.perf_counter()
        step = self.state.step + 1
        batches = self.passes.share([self.features[index] for index in self.plan.indices(step - 1)])
        total = self.passes.weight(batches)
        sanity.require_trained_tokens(step, total)
        mine = self.passes.backward(batches, total, step)
        counts = sum(b.num_tokens() for b in batches), sum(b.num_trained() for b in batches)
        loss, num_tokens, num_trained = map(math.fsum, zip(*self.ranks.gather(mine, *counts), strict=True))
        grad_norm, rate = self._move(step, loss)
        seconds = time.perf_counter() - started
        self.state = self.state.model_copy(
            update={
                "step": step,
                "num_input_tokens": self.state.num_input_tokens + int(num_tokens),
                "num_trained_tokens": self.state.num_trained_tokens + int(num_trained),
                "seconds": self.state.seconds + seconds,
            }
        )
        self._log_step(loss, grad_norm, rate, int(num_tokens), int(num_trained), seconds)
        bar.advance(1, loss=loss, tokens_per_s=self.state.num_input_tokens / self.state.seconds)

    def _move(self, step: int, loss: float) -> tuple[float, float]:
        """Let the optimizer follow the gradients; their norm before it was clipped, and the learning rate."""
        weights = self.tuned.trainable()
        grad_norm = float(whole(clip_grad_norm_(weights.values(), self.settings.max_grad_norm)))
        sanity.require_finite(step, grad_norm, "gradient's norm")  # before it spoils the weights
        sanity.require_signal(step, loss, grad_norm)
        rates = [float(rate) for rate in self.scheduler.get_last_lr()]
        sanity.require_rate(step, rates)
        with sanity.moving(weights, step, self.ranks.any):
            self.optimizer.step()
        self.scheduler.step()
        self.optimizer.zero_grad(set_to_none=True)
        return grad_norm, rates[0]

    def _log_step(
        self, loss: float, grad_norm: float, learning_rate: float, num_tokens: int, num_trained: int, seconds: float
    ) -> None:
        step = self.state.step
        if step % self.settings.logging_steps and step != self.plan.num_steps:
            return
        self.log.write(
            step,
            epoch=round(self.plan.epoch(step), 6),
            train_loss_nats_per_token=loss,
            learning_rate=learning_rate,
            grad_norm=grad_norm,
            num_trained_tokens=num_trained,
            num_input_tokens=num_tokens,
            input_tokens_per_s=round(num_tokens / seconds, 1),
            elapsed_s=round(self.state.seconds, 3),
        )

    def _after_step(self) -> None:
        step, last = self.state.step, self.plan.num_steps
        if self.validation and (step % self.eval_steps == 0 or step == last):
            self._check()
        if step % self.save_steps == 0 or step == last or self._finished() or self._is_save_due():
            self._save()

    def _is_save_due(self) -> bool:
        """Clocks differ: where one process finds it is time, it is for all."""
        return self.settings.save_minutes is not None and self.ranks.any(self.clock.is_due())

    def _check(self) -> None:
        """Validation loss and task metrics; the weights are kept where they are the best so far."""
        step = self.state.step
        loss, found = self.passes.validation_loss(self.validation, step), self._task_metrics()
        metrics, num_items = ({name: pair[place] for name, pair in found.items()} for place in (0, 1))
        check = Check(step=step, loss=loss, metrics=metrics, num_items=num_items)
        watch = self.state.watch.after(check, self.settings.early_stopping)
        self.state = self.state.model_copy(update={"watch": watch})
        self.log.write(check.step, **check.named())
        self.progress.say(str(check))
        if watch.best == check:
            save_best(self.checkpoints, self.tuned, check.step, self.ranks)

    def _task_metrics(self) -> dict[str, tuple[float, int]]:
        """Those that the first process found: all decide by the same figures."""
        return self.ranks.of_first(task_metrics(self.tuned.model, self.validate)) if self.validate else {}

    def _made_with(self, validation_features: Sequence[Feature]) -> dict[str, Any]:
        setting = self.setting
        return provenance(
            self.settings,
            self.features,
            validation_features,
            device=setting.device.type,
            dtype=str(setting.dtype),
            packed=setting.packed,
            seed=setting.seed,
            **setting.made_with,
        )

    def _finished(self) -> bool:
        return self.state.watch.should_stop(self.settings.early_stopping)

    def _save(self) -> None:
        keep = self.settings.save_total_limit
        save_checkpoint(self.checkpoints, self.tuned, self.optimizer, self.state, self.ranks, keep)
        self.clock.restart()

    def _keep_best(self) -> None:
        self.ranks.wait()  # for the first to have written it
        if self.state.watch.best is not None:
            self.tuned.load_state(load_best(self.checkpoints, self.state.watch.best.step))
        sanity.require_finite_weights(self.state.step, self.tuned.trainable(), self.ranks.any)
