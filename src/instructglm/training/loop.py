"""The training loop: one optimizer step per batch of the plan, checks and checkpoints between steps."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from instructglm.config.training import TrainingSettings
from instructglm.core.progress import Bar, Progress
from instructglm.core.seeds import derived_seed
from instructglm.data.features import Feature
from instructglm.training import sanity
from instructglm.training.batches import Batch, micro_batches
from instructglm.training.checkpoint import RunState, SaveClock, load_best, resume, save_best, save_checkpoint
from instructglm.training.interrupt import deferred_interrupt
from instructglm.training.loss import arithmetic, has_plain_head, weighted_count, weighted_nats
from instructglm.training.metrics_log import MetricsLog
from instructglm.training.monitor import Check, steps_between_checks
from instructglm.training.optimizers import make_optimizer
from instructglm.training.plan import make_plan
from instructglm.training.provenance import provenance
from instructglm.training.schedules import make_schedule
from instructglm.training.trackers import open_trackers
from instructglm.training.validation import Validate, task_metrics
from instructglm.training.workload import validation_size
from instructglm.tuning import TunedModel


@dataclass(frozen=True)
class Setting:
    """Where and in which arithmetic a run computes."""

    device: torch.device
    dtype: torch.dtype
    pad_id: int
    seed: int
    packed: bool = False
    """Whether rows hold prompts with all their outputs, without padding."""
    made_with: Mapping[str, Any] = field(default_factory=dict)
    """What else decides the outcome, by name: a run goes on only with the same."""


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
    return _Run(tuned, train_features, validation_features, settings, setting, folder, progress, validate).go()


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
        self.validate, self.folder = validate, folder
        self.tuned, self.settings, self.setting, self.progress = tuned, settings, setting, progress
        self.checkpoints = folder / "checkpoints"
        self.features = train_features
        self.validation = self._batches(validation_features, validation_size(settings))
        self.plan = make_plan([feature.num_tokens for feature in train_features], settings, setting.seed)
        if note := self.plan.note():
            progress.say(note)
        self.eval_steps = steps_between_checks(settings.eval_steps, self.plan.num_steps)
        self.save_steps = settings.save_steps or self.eval_steps
        self.accelerator = Accelerator(cpu=setting.device.type == "cpu")
        if settings.gradient_checkpointing:
            tuned.checkpoint_gradients()
        self.model = self.accelerator.prepare(tuned.model)
        self.plain_head = self._has_plain_head()
        if not self.plain_head:
            progress.say("this model changes its logits after the head: they are made whole, which takes more memory")
        self.optimizer = make_optimizer(tuned, settings)
        torch.manual_seed(derived_seed(setting.seed, "dropout"))
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        made_with = self._made_with(validation_features)
        self.state = resume(self.checkpoints, tuned, self.optimizer, made_with, progress.say)
        self.clock = SaveClock(settings.save_minutes)
        self.scheduler = make_schedule(self.optimizer, settings, self.plan.num_steps, self.state.step)
        self.log = MetricsLog(folder / "metrics.jsonl", self.state.step)

    def go(self) -> RunState:
        if self.state.step:
            self.progress.say(f"training goes on from step {self.state.step} of {self.plan.num_steps}")
        tracking = open_trackers(self.settings.report_to, self.folder, self.state.step, self.progress.say)
        with (
            tracking as self.log.trackers,
            deferred_interrupt() as interrupted,
            self.progress.stage("train", total=self.plan.num_steps, unit="step", done=self.state.step) as bar,
        ):
            if not self.state.step and self.validation and not self.state.watch.checks:
                self._check()
            while self.state.step < self.plan.num_steps and not self._finished():
                self._step(bar)
                self._after_step()
                if stop := interrupted():
                    self._save()
                    raise stop
        self._keep_best()
        return self.state

    def _step(self, bar: Bar) -> None:
        """One optimizer step over the plan's next batch, in as many forward passes as it takes."""
        started = time.perf_counter()
        chosen = [self.features[index] for index in self.plan.indices(self.state.step)]
        batches = self._batches(chosen, self.settings.micro_batch_size)
        step, total = self.state.step + 1, weighted_count(batches)
        sanity.require_trained_tokens(step, total)
        self.model.train()
        loss = sum(self._backward(batch, total) for batch in batches)
        grad_norm = self.accelerator.clip_grad_norm_(self.tuned.trainable().values(), self.settings.max_grad_norm)
        sanity.require_finite(step, float(grad_norm), "gradient's norm")  # before it spoils the weights
        sanity.require_signal(step, loss, float(grad_norm))
        rates = [float(rate) for rate in self.scheduler.get_last_lr()]
        sanity.require_rate(step, rates)
        with sanity.moving(self.tuned.trainable(), step):
            self.optimizer.step()
        self.scheduler.step()
        self.optimizer.zero_grad(set_to_none=True)
        seconds = time.perf_counter() - started
        num_tokens, num_trained = sum(b.num_tokens() for b in batches), sum(b.num_trained() for b in batches)
        self.state = self.state.model_copy(
            update={
                "step": self.state.step + 1,
                "num_input_tokens": self.state.num_input_tokens + num_tokens,
                "num_trained_tokens": self.state.num_trained_tokens + num_trained,
                "seconds": self.state.seconds + seconds,
            }
        )
        self._log_step(loss, float(grad_norm), rates[0], num_tokens, num_trained, seconds)
        bar.advance(1, loss=loss, tokens_per_s=num_tokens / seconds)

    def _batches(self, features: Sequence[Feature], size: int | None) -> list[Batch]:
        most = self.settings.tokens_per_micro_batch
        return micro_batches(features, size, self.setting.pad_id, packed=self.setting.packed, max_tokens=most)

    def _nats(self, batch: Batch) -> torch.Tensor:
        return weighted_nats(self.model, batch.to(self.setting.device), plain_head=self.plain_head)

    def _has_plain_head(self) -> bool:
        shortest = min(self.features, key=lambda feature: len(feature.context.input_ids))
        self.model.eval()
        with arithmetic(self.setting.device, self.setting.dtype):
            return has_plain_head(self.model, self._batches([shortest], 1)[0].to(self.setting.device))

    def _backward(self, batch: Batch, total: float) -> float:
        with arithmetic(self.setting.device, self.setting.dtype):
            nats = self._nats(batch)
        loss = nats / total
        sanity.require_finite(self.state.step + 1, loss.item(), "loss")
        self.accelerator.backward(loss)
        return loss.item()

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
        if step % self.save_steps == 0 or step == last or self._finished() or self.clock.is_due():
            self._save()

    def _check(self) -> None:
        """Validation loss and task metrics; the weights are kept where they are the best so far."""
        loss, found = self._validation_loss(), task_metrics(self.model, self.validate) if self.validate else {}
        metrics, num_items = ({name: pair[place] for name, pair in found.items()} for place in (0, 1))
        check = Check(step=self.state.step, loss=loss, metrics=metrics, num_items=num_items)
        watch = self.state.watch.after(check, self.settings.early_stopping)
        self.state = self.state.model_copy(update={"watch": watch})
        self.log.write(check.step, **check.named())
        self.progress.say(str(check))
        if watch.best == check:
            save_best(self.checkpoints, self.tuned, check.step)

    def _validation_loss(self) -> float:
        self.model.eval()
        with torch.no_grad(), arithmetic(self.setting.device, self.setting.dtype):
            nats = [self._nats(batch).item() for batch in self.validation]
        loss = math.fsum(nats) / weighted_count(self.validation)
        sanity.require_finite(self.state.step, loss, "validation loss")
        return loss

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
        save_checkpoint(self.checkpoints, self.tuned, self.optimizer, self.state, self.settings.save_total_limit)
        self.clock.restart()

    def _keep_best(self) -> None:
        if self.state.watch.best is not None:
            self.tuned.load_state(load_best(self.checkpoints, self.state.watch.best.step))
        sanity.require_finite_weights(self.state.step, self.tuned.trainable())
