"""How the learning rate changes over a run."""

from __future__ import annotations

import math

import torch
from torch.optim.lr_scheduler import LRScheduler
from transformers import get_scheduler

from instructglm.config.training import TrainingSettings
from instructglm.core.errors import RunError


def make_schedule(
    optimizer: torch.optim.Optimizer, settings: TrainingSettings, num_steps: int, done: int
) -> LRScheduler:
    """The learning rates of a run of `num_steps`, of which `done` are done.

    Step n (from 1) has the n-th rate of transformers' schedule over
    `num_steps` + 1 steps, resumed or not: schedules begin and end at 0, and
    taken from 0, the first step of a warm-up would move nothing, and a run of
    one step would not train at all.

    Raises:
        RunError: the run is shorter than its warm-up and its decay, or the schedule does not take its arguments.
    """
    try:
        warmup = num_warmup_steps(settings, num_steps)
        _require_room(settings, warmup, num_steps)
        schedule: LRScheduler = get_scheduler(
            settings.lr_scheduler_type,
            optimizer,
            num_warmup_steps=warmup,
            num_training_steps=num_steps + 1,
            scheduler_specific_kwargs=dict(settings.lr_scheduler_kwargs),
        )
        schedule.last_epoch = done
        optimizer._opt_called = True  # type: ignore[attr-defined]  # it would warn of a step before the first
        schedule.step()
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise RunError(
            f"training.lr_scheduler_type is {settings.lr_scheduler_type}, which does not take its arguments: {error}",
            hint="Look at training.lr_scheduler_kwargs.",
        ) from error
    return schedule


def num_warmup_steps(settings: TrainingSettings, num_steps: int) -> int:
    """The steps in which the rate rises: `warmup_steps`, or else `warmup_ratio` of all."""
    return math.ceil(settings.warmup_ratio * num_steps) if settings.warmup_steps is None else settings.warmup_steps


def _require_room(settings: TrainingSettings, warmup: int, num_steps: int) -> None:
    decay = int(settings.lr_scheduler_kwargs.get("num_decay_steps", 0))
    if warmup + decay > num_steps:
        raise RunError(
            f"the run has {num_steps} steps; the learning rate is to rise for {warmup}"
            + (f" and to fall for {decay}" if decay else ""),
            hint="Lower training.warmup_steps or lr_scheduler_kwargs.num_decay_steps, or train longer.",
        )
