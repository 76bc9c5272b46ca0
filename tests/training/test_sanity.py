"""Runs that can only go wrong end with the reason, at the step where it shows."""

from __future__ import annotations

import pytest
import torch
from tiny_runs import LORA, SETTINGS, features, run, tuned

from instructglm.config.tuning import FullTuning
from instructglm.core.errors import RunError
from instructglm.data.features import Feature
from instructglm.data.templates import Encoded
from instructglm.models.loading import load
from instructglm.training import loop
from instructglm.training.sanity import moving

FULL = FullTuning(method="full")


def untrained(count: int) -> list[Feature]:
    """Prompts whose outputs have weight 0."""
    return [Feature(one.example_id, one.context, one.outputs, [0.0, 0.0]) for one in features(count)]


def test_a_step_without_a_trained_token(tiny_model, tmp_path) -> None:
    with pytest.raises(RunError, match=r"step 1: none of its tokens is trained\n.*data preview"):
        run(tiny_model, tmp_path, data=untrained(8))


def test_a_loss_of_exactly_zero(tiny_model, tmp_path) -> None:
    """A head that is sure of one token, and data that hold nothing else."""
    moved = tuned(tiny_model)
    head = moved.model.get_output_embeddings()
    head.weight = torch.nn.Parameter(torch.zeros_like(head.weight), requires_grad=False)
    head.bias = torch.nn.Parameter(torch.full((len(head.weight),), -1e4), requires_grad=False)
    head.bias.data[7] = 1e4
    data = [Feature(str(i), Encoded.untrained([9, 10, 11]), [[7, 7]], [1.0]) for i in range(8)]
    with pytest.raises(RunError, match=r"step 1: the loss is exactly 0\n"):
        run(tiny_model, tmp_path, data=data, validation=[], moved=moved)


def test_gradients_that_are_all_zero(tiny_model, tmp_path) -> None:
    """What is tuned takes no part in the loss: both factors of every LoRA are 0."""
    moved = tuned(tiny_model)
    with torch.no_grad():
        for weight in moved.trainable().values():
            weight.zero_()
    with pytest.raises(RunError, match=r"step 1: every gradient is exactly 0, with a loss of \d"):
        run(tiny_model, tmp_path, moved=moved)


def test_steps_too_small_for_any_weight(tiny_model, tmp_path) -> None:
    settings = SETTINGS.model_copy(update={"learning_rate": 1e-30, "warmup_ratio": 0.0})
    moved = tuned(tiny_model, FULL)
    with torch.no_grad():
        for weight in moved.trainable().values():
            weight[weight == 0] = 1.0
    with pytest.raises(RunError, match=r"step 1: not one of the tuned weights has changed\nRaise training.learning"):
        run(tiny_model, tmp_path, settings, moved=moved)


def off_at_the_third(optimizer, *args):
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: float(step < 2))


def test_a_learning_rate_of_zero(tiny_model, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(loop, "make_schedule", off_at_the_third)
    with pytest.raises(RunError, match="step 3: the learning rate is 0"):
        run(tiny_model, tmp_path)


@pytest.mark.parametrize(("save_steps", "kept"), [(2, r" The last checkpoint is intact\.$"), (4, r"in rounding\.$")])
def test_a_checkpoint_is_spoken_of_where_there_is_one(tiny_model, tmp_path, monkeypatch, save_steps, kept) -> None:
    monkeypatch.setattr(loop, "make_schedule", off_at_the_third)
    settings = SETTINGS.model_copy(update={"save_steps": save_steps})
    with pytest.raises(RunError, match=rf"step 3: the learning rate is 0, .*\n.*{kept}"):
        run(tiny_model, tmp_path, settings)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_those_of_the_model_not_of_training(tiny_model, tmp_path, value) -> None:
    model, _ = load(tiny_model)
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight[0, 0] = value
    model.save_pretrained(tmp_path / "broken")
    with pytest.raises(RunError, match=r"step 0: the validation loss is nan\nNothing has moved yet"):
        run(tmp_path / "broken", tmp_path / "run")


def test_a_ruinous_learning_rate_is_named_and_the_checkpoint_before_is_intact(tiny_model, tmp_path) -> None:
    settings = SETTINGS.model_copy(update={"learning_rate": 1e38, "warmup_ratio": 0.0, "eval_steps": 1})
    with pytest.raises(RunError, match=r"step \d: the .* is (nan|inf)\nLower training.learning_rate"):
        run(tiny_model, tmp_path, settings, moved=tuned(tiny_model, FULL))


def test_the_first_step_of_lora_moves_only_one_of_its_factors_and_passes(tiny_model, tmp_path) -> None:
    moved = tuned(tiny_model, LORA.model_copy(update={"dropout": 0.0}))
    before = moved.state()
    settings = SETTINGS.model_copy(update={"max_steps": 1, "early_stopping": None})
    run(tiny_model, tmp_path, settings, moved=moved, validation=[])
    changed = {name.split(".")[-3] for name, weight in moved.state().items() if not torch.equal(weight, before[name])}
    assert changed == {"lora_B"}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.int8])
def test_the_smallest_change_of_one_number_shows(dtype) -> None:
    weights = {"a": torch.ones(3, 5).to(dtype), "b": torch.ones(2).to(dtype)}
    with pytest.raises(RunError), moving(weights, 1):
        pass
    whole = {1: torch.int8, 2: torch.int16, 4: torch.int32}[weights["b"].element_size()]
    with moving(weights, 1):
        weights["b"].view(whole)[1] += 1
    with moving(weights, 2):
        pass
