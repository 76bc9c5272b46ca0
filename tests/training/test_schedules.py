"""The learning rate of every step is the one that transformers' own schedule has, resumed or not."""

from __future__ import annotations

import inspect
from typing import get_args

import pytest
import torch
from transformers import get_scheduler
from transformers.optimization import TYPE_TO_SCHEDULER_FUNCTION

from instructglm.config.training import SCHEDULE_ARGUMENTS, TrainingSettings
from instructglm.core.errors import RunError
from instructglm.training.schedules import make_schedule

KINDS = get_args(TrainingSettings.model_fields["lr_scheduler_type"].annotation)
ARGUMENTS = {
    "cosine_with_restarts": {"num_cycles": 3},
    "cosine_with_min_lr": {"min_lr_rate": 0.1},
    "polynomial": {"power": 2.0, "lr_end": 1e-5},
    "inverse_sqrt": {"timescale": 7},
    "warmup_stable_decay": {"num_decay_steps": 8, "decay_type": "linear", "min_lr_ratio": 0.2},
}
RATES = (1e-3, 4e-3)  # of two groups, as LoRA+ has them
NUM_STEPS, WARMUP = 30, 5


def optimizer() -> torch.optim.Optimizer:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in RATES]
    return torch.optim.SGD(groups, lr=RATES[0])


def settings(kind: str, **others) -> TrainingSettings:
    given = {"lr_scheduler_type": kind, "lr_scheduler_kwargs": ARGUMENTS.get(kind, {}), "warmup_steps": WARMUP}
    return TrainingSettings(learning_rate=RATES[0], **given | others)


def rates(schedule, moved: torch.optim.Optimizer, count: int) -> list[list[float]]:
    found = []
    for _ in range(count):
        found.append([group["lr"] for group in moved.param_groups])
        moved.step()
        schedule.step()
    return found


def theirs(kind: str, arguments: dict) -> list[list[float]]:
    moved = optimizer()
    schedule = get_scheduler(
        kind, moved, num_warmup_steps=WARMUP, num_training_steps=NUM_STEPS + 1, scheduler_specific_kwargs=arguments
    )
    return rates(schedule, moved, NUM_STEPS + 1)[1:]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("done", [0, 1, 13, NUM_STEPS - 1])
def test_each_step_has_the_rate_of_transformers(kind, done):
    moved = optimizer()
    schedule = make_schedule(moved, settings(kind), NUM_STEPS, done)
    assert rates(schedule, moved, NUM_STEPS - done) == theirs(kind, ARGUMENTS.get(kind, {}))[done:]


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_moves_something(kind):
    moved = optimizer()
    found = rates(make_schedule(moved, settings(kind), NUM_STEPS, 0), moved, NUM_STEPS)
    assert min(map(min, found)) > 0


def test_warmup_is_a_share_of_all_steps_unless_it_is_a_number_of_them():
    share, number = optimizer(), optimizer()
    first = make_schedule(share, settings("linear", warmup_steps=None, warmup_ratio=0.5), NUM_STEPS, 0)
    second = make_schedule(number, settings("linear", warmup_steps=15), NUM_STEPS, 0)
    assert rates(first, share, NUM_STEPS) == rates(second, number, NUM_STEPS)


def test_arguments_are_those_of_transformers_functions():
    for kind, names in SCHEDULE_ARGUMENTS.items():
        assert set(names) < set(inspect.signature(TYPE_TO_SCHEDULER_FUNCTION[kind]).parameters), kind


def test_a_run_that_is_too_short_for_its_schedule_is_refused():
    with pytest.raises(RunError, match="the run has 30 steps; the learning rate is to rise for 5 and to fall for 26"):
        make_schedule(
            optimizer(), settings("warmup_stable_decay", lr_scheduler_kwargs={"num_decay_steps": 26}), NUM_STEPS, 0
        )


def test_arguments_that_transformers_refuses_are_the_users_mistake():
    wrong = settings("warmup_stable_decay", lr_scheduler_kwargs={"num_decay_steps": 4, "decay_type": "foo"})
    with pytest.raises(RunError, match=r"warmup_stable_decay, which does not take its arguments: .*foo"):
        make_schedule(optimizer(), wrong, NUM_STEPS, 0)


def test_a_cosine_that_would_reach_zero_in_the_middle_is_refused():
    with pytest.raises(ValueError, match=r"num_cycles is 1, .* choose halves"):
        settings("cosine", lr_scheduler_kwargs={"num_cycles": 1})
