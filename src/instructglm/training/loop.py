"""The training loop: one optimizer step per batch of the plan, checks and checkpoints between steps."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from instructglm.config.training import TrainingSettings
from instructglm.core.errors import RunError
from instructglm.core.progress import Bar, Progress
from instructglm.core.seeds import derived_seed
from instructglm.data.features import Feature
from instructglm.training.batches import Batch, micro_batches
from instructglm.training.checkpoint import RunState, load_best, resume, save_best, save_checkpoint
from instructglm.training.distributed.engines import engage, gradients_stay
from instructglm.training.distributed.ranks import ALONE, Ranks
from instructglm.training.interrupt import deferred_interrupt
from instructglm.training.loss import StepLoss, arithmetic, has_plain_head, weighted_count
from instructglm.training.metrics_log import MetricsLog, SilentLog
from instructglm.training.monitor import Check
from instructglm.training.optimizers import make_optimizer, make_schedule
from instructglm.training.plan import make_plan
from instructglm.tuning import TunedModel
from instructglm.tuning.shards import whole

_CHECKS_PER_RUN = 10  # when eval_steps is not given


@dataclass(frozen=True)
class Setting:
    """Where and in which arithmetic a run computes."""

    device: torch.device
    dtype: torch.dtype
    pad_id: int
    seed: int
    packed: bool = False
    """Whether rows hold prompts with all their outputs, without padding."""
    ranks: Ranks = ALONE
    """Which of the processes this is that train together, each calling `train` with the same arguments."""


def train(
    tuned: TunedModel,
    train_features: Sequence[Feature],
    validation_features: Sequence[Feature],
    settings: TrainingSettings,
    setting: Setting,
    folder: Path,
    progress: Progress,
) -> RunState:
    """Move the weights of `tuned` and leave it with those of the best validation check.

    Checkpoints and `metrics.jsonl` go under `folder`; where checkpoints stand
    there already, the run goes on from the last and ends as if it had never
    stopped.

    Raises:
        RunError: the loss, a gradient or a weight is not a number, or no token is trained.
        KeyboardInterrupt: after the step in progress and its checkpoint.
    """
    return _Run(tuned, train_features, validation_features, settings, setting, folder, progress).go()


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
    ) -> None:
        self.tuned, self.settings, self.setting, self.progress = tuned, settings, setting, progress
        self.ranks = setting.ranks
        self.checkpoints = folder / "checkpoints"
        self.features = train_features
        self.validation = self._batches(validation_features, 4 * settings.micro_batch_size)
        self.plan = make_plan(len(train_features), settings, setting.seed)
        self.eval_steps = settings.eval_steps or max(1, self.plan.num_steps // _CHECKS_PER_RUN)
        self.save_steps = settings.save_steps or self.eval_steps
        if settings.gradient_checkpointing:
            tuned.checkpoint_gradients()
        shortest = min(train_features, key=lambda feature: len(feature.context.input_ids))
        self.idle = self._batches([shortest], 1)[0].idle()
        self.loss: nn.Module = self._step_loss()
        self.loss = engage(self.loss, self.ranks, setting.device, lambda: self._nats(self.idle))
        self.optimizer = make_optimizer(tuned, settings)
        torch.manual_seed(derived_seed(setting.seed, "dropout", *filter(None, [self.ranks.rank])))
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        self.state = resume(self.checkpoints, tuned, self.optimizer, self.ranks.rank)
        self.scheduler = make_schedule(self.optimizer, settings, self.plan.num_steps, self.state.step)
        log = folder / "metrics.jsonl"
        self.log = MetricsLog(log, self.state.step) if self.ranks.is_first else SilentLog()

    def go(self) -> RunState:
        if self.state.step:
            self.progress.say(f"training goes on from step {self.state.step} of {self.plan.num_steps}")
        with (
            deferred_interrupt(patient=self.ranks.world_size > 1) as interrupted,
            self.progress.stage("train", total=self.plan.num_steps, unit="step", done=self.state.step) as bar,
        ):
            if not self.state.step and self.validation and not self.state.watch.checks:
                self._check()
            while self.state.step < self.plan.num_steps and not self._finished():
                self._step(bar)
                self._after_step()
                if self.ranks.any(interrupted()):
                    self._save()
                    raise KeyboardInterrupt
        self._keep_best()
        return self.state

    def _step(self, bar: Bar) -> None:
        """One optimizer step over the plan's next batch, in as many forward passes as it takes."""
        started = time.perf_counter()
        chosen = [self.features[index] for index in self.plan.indices(self.state.step)]
        batches = self._batches(self._mine(chosen), self.settings.micro_batch_size)
        total = math.fsum(weight for (weight,) in self.ranks.gather(weighted_count(batches)))
        self.loss.train()
        loss = self._backward(batches, total)
        grad_norm = float(whole(clip_grad_norm_(self.tuned.trainable().values(), self.settings.max_grad_norm)))
        self._require_finite(self.state.step + 1, grad_norm, "gradient's norm")  # before it spoils the weights
        learning_rate = float(self.scheduler.get_last_lr()[0])
        self.optimizer.step()
        self.scheduler.step()
        self.optimizer.zero_grad(set_to_none=True)
        seconds = time.perf_counter() - started
        counts = sum(b.num_tokens() for b in batches), sum(b.num_trained() for b in batches)
        loss, num_tokens, num_trained = map(math.fsum, zip(*self.ranks.gather(loss, *counts), strict=True))
        self.state = self.state.model_copy(
            update={
                "step": self.state.step + 1,
                "num_input_tokens": self.state.num_input_tokens + int(num_tokens),
                "num_trained_tokens": self.state.num_trained_tokens + int(num_trained),
                "seconds": self.state.seconds + seconds,
            }
        )
        self._log_step(loss, grad_norm, learning_rate, int(num_tokens), int(num_trained), seconds)
        bar.advance(1, loss=loss, tokens_per_s=num_tokens / seconds)

    def _batches(self, features: Sequence[Feature], size: int) -> list[Batch]:
        return micro_batches(features, size, self.setting.pad_id, packed=self.setting.packed)

    def _mine(self, chosen: list[Feature]) -> list[Feature]:
        """What of a step's prompts is this process's: longest first, so that all have about as much to do."""
        if self.ranks.world_size == 1:
            return chosen
        return self.ranks.share(sorted(chosen, key=_num_tokens, reverse=True))

    def _rounds(self, batches: Sequence[Batch]) -> list[Batch]:
        """As many passes as the process with most of them makes: in each, all wait for all."""
        count = max(int(number) for (number,) in self.ranks.gather(len(batches)))
        return [*batches, *[self.idle] * (count - len(batches))]

    def _nats(self, batch: Batch) -> torch.Tensor:
        with arithmetic(self.setting.device, self.setting.dtype):
            nats: torch.Tensor = self.loss(batch.to(self.setting.device))
        return nats

    def _step_loss(self) -> StepLoss:
        model = self.tuned.model.eval()
        with arithmetic(self.setting.device, self.setting.dtype):
            plain_head = has_plain_head(model, self.idle.to(self.setting.device))
        if not plain_head:
            self.progress.say(
                "this model changes its logits after the head: they are made whole, which takes more memory"
            )
        self.ranks.require_equal(
            plain_head=plain_head, packed=self.setting.packed, num_train_prompts=len(self.features)
        )
        return StepLoss(model, plain_head=plain_head)

    def _backward(self, batches: Sequence[Batch], total: float) -> float:
        """Leave the step's gradients; its loss, as far as it is this process's."""
        *others, last = self._rounds(batches)
        with gradients_stay(self.loss):
            losses = [self._backward_pass(batch, total) for batch in others]
        return sum([*losses, self._backward_pass(last, total)])

    def _backward_pass(self, batch: Batch, total: float) -> float:
        loss = self._nats(batch) / total
        self._require_finite(self.state.step + 1, loss.item(), "loss")
        (loss * self.ranks.world_size).backward()  # type: ignore[no-untyped-call]
        return loss.item()

    def _require_finite(self, step: int, value: float, name: str) -> None:
        if not math.isfinite(value):
            raise RunError(
                f"step {step}: the {name} is {value}",
                hint="Lower training.learning_rate, or set model.dtype to float32. The last checkpoint is intact.",
            )

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
        if step % self.save_steps == 0 or step == last or self._finished():
            self._save()

    def _check(self) -> None:
        """Validation loss; the weights are kept where it is the lowest so far."""
        check = Check(step=self.state.step, loss=self._validation_loss())
        self._require_finite(check.step, check.loss, "validation loss")
        watch = self.state.watch.after(check, self.settings.early_stopping)
        self.state = self.state.model_copy(update={"watch": watch})
        self.log.write(check.step, validation_loss_nats_per_token=check.loss)
        self.progress.say(f"step {check.step}: validation loss {check.loss:.4f}")
        if watch.best == check:
            save_best(self.checkpoints, self.tuned, check.step, self.ranks)

    def _validation_loss(self) -> float:
        self.loss.eval()
        with torch.no_grad():
            nats = [self._nats(batch).item() for batch in self._rounds(self.ranks.share(self.validation))]
        return math.fsum(sum(self.ranks.gather(math.fsum(nats)), ())) / weighted_count(self.validation)

    def _finished(self) -> bool:
        return self.state.watch.should_stop(self.settings.early_stopping)

    def _save(self) -> None:
        save_checkpoint(self.checkpoints, self.tuned, self.optimizer, self.state, self.ranks)

    def _keep_best(self) -> None:
        self.ranks.wait()  # for the first to have written it
        if self.state.watch.best is not None:
            self.tuned.load_state(load_best(self.checkpoints, self.state.watch.best.step))
        for name, weight in self.tuned.trainable().items():
            self._require_finite(
                self.state.step, float(whole(weight.detach().float().abs().max())), f"largest weight of {name}"
            )


def _num_tokens(feature: Feature) -> int:
    return len(feature.context.input_ids) + sum(map(len, feature.outputs))
