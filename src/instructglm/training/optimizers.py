"""What moves the weights, and how far at each step."""

from __future__ import annotations

import math

import torch
from torch.optim.lr_scheduler import LRScheduler
from transformers import get_scheduler

from instructglm.config.training import TrainingSettings
from instructglm.tuning import TunedModel


def make_optimizer(tuned: TunedModel, settings: TrainingSettings) -> torch.optim.Optimizer:
    """The optimizer of the settings, over the weights that are tuned."""
    return torch.optim.AdamW(
        tuned.trainable().values(),
        lr=settings.learning_rate,
        betas=(settings.adam_beta1, settings.adam_beta2),
        eps=settings.adam_epsilon,
        weight_decay=settings.weight_decay,
        fused=True,
    )


def make_schedule(
    optimizer: torch.optim.Optimizer, settings: TrainingSettings, num_steps: int, done: int
) -> LRScheduler:
    """The learning rates of a run of `num_steps`, of which `done` are done.

    Step n (from 1) has the schedule's n-th rate, resumed or not: schedules begin
    and end at 0, and taken from 0, the first step of a warm-up would move
    nothing, and a run of one step would not train at all.
    """
    schedule: LRScheduler = get_scheduler(
        settings.lr_scheduler_type,
        optimizer,
        num_warmup_steps=math.ceil(settings.warmup_ratio * num_steps),
        num_training_steps=num_steps + 1,
    )
    schedule.last_epoch = done
    optimizer._opt_called = True  # type: ignore[attr-defined]  # it would warn of a step before the first
    schedule.step()
    return schedule
