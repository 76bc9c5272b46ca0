"""Task metrics in the middle of training: right, fixed, and without a trace in what is trained."""

from __future__ import annotations

import math

import pytest
import torch
from tiny_runs import CPU, PACKED, SETTINGS, curve, features, run, tuned

from instructglm.config.data import DataSettings
from instructglm.config.training import EarlyStopping, EvalMetrics
from instructglm.config.tuning import PrefixTuning
from instructglm.core.records import Example, Message
from instructglm.data.templates import template_for
from instructglm.evaluation.predict import Predictor
from instructglm.evaluation.validate import validator
from instructglm.models.loading import load_tokenizer
from instructglm.training.validation import task_metrics

DATA = DataSettings.model_validate({"sources": [{"path": "a"}], "max_length": 100})
ASKED = EvalMetrics(metrics=["accuracy", "macro_f1", "generated_accuracy"], max_new_tokens_closed=3)
EXAMPLES = [
    Example.of([Message(role="user", content=f"How is {i}?")], ["good" if i % 3 else "bad"], task="mood").model_copy(
        update={"choices": ("good", "bad")}
    )
    for i in range(9)
] + [Example.of([Message(role="user", content=f"Say {i}")], ["x y"], task="words") for i in range(3)]


def validation_of(moved, model_folder):
    predictor = Predictor(
        "validation", moved.model, template_for(load_tokenizer(model_folder)), torch.device("cpu"), torch.float32
    )
    return validator(predictor, EXAMPLES, ASKED, DATA, seed=5)


CASES = {
    "padded": (CPU, False),
    "packed": (PACKED, False),
    "packed, gradient checkpointing": (PACKED, True),
    "padded, gradient checkpointing": (CPU, True),
}


@pytest.mark.parametrize("name", CASES)
def test_a_run_with_metrics_trains_to_the_bit_as_one_without(tiny_model, tmp_path, name) -> None:
    setting, checkpointing = CASES[name]
    settings = SETTINGS.model_copy(update={"gradient_checkpointing": checkpointing})
    moved = tuned(tiny_model)
    _, watched = run(
        tiny_model, tmp_path / "with", settings, setting, moved=moved, validate=validation_of(moved, tiny_model)
    )
    plain, _ = run(tiny_model, tmp_path / "without", settings, setting)
    seen = curve(tmp_path / "with", without="validation_")
    assert seen == curve(tmp_path / "without", without="validation_")
    state = plain.state()
    assert all(torch.equal(weight, state[name]) for name, weight in moved.state().items())
    assert [set(check.metrics) for check in watched.watch.checks] == [set(ASKED.metrics)] * 4
    assert all(0 <= value <= 1 for check in watched.watch.checks for value in check.metrics.values())


def test_metrics_of_a_packed_model_are_those_of_a_padded_one(tiny_model, tmp_path) -> None:
    """At step 0 both are the same weights; the attention of packed rows is another function."""
    told = {}
    for name, setting in {"packed": PACKED, "padded": CPU}.items():
        moved = tuned(tiny_model)
        validate = validation_of(moved, tiny_model)
        _, state = run(tiny_model, tmp_path / name, SETTINGS, setting, moved=moved, validate=validate)
        told[name] = state.watch.checks[0].metrics
    assert told["packed"] == told["padded"]


def test_metrics_of_a_prefix_in_training(tiny_model, tmp_path) -> None:
    moved = tuned(tiny_model, PrefixTuning(method="prefix", num_virtual_tokens=4))
    _, state = run(tiny_model, tmp_path, moved=moved, validate=validation_of(moved, tiny_model))
    assert all(set(check.metrics) == set(ASKED.metrics) for check in state.watch.checks)


def test_they_are_of_the_weights_as_they_are(tiny_model, tmp_path) -> None:
    """Trained on nothing but `good`, the model comes to choose it."""
    moved = tuned(tiny_model)
    template = template_for(load_tokenizer(tiny_model))
    good = template.output_ids("good")
    data = [
        one.__class__(one.example_id, template.context(example.messages), [good], [1.0])
        for one, example in zip(features(9), EXAMPLES, strict=False)
    ]
    settings = SETTINGS.model_copy(update={"learning_rate": 2e-2, "num_train_epochs": 8})
    validate = validation_of(moved, tiny_model)
    _, state = run(tiny_model, tmp_path, settings, moved=moved, data=data, validation=data, validate=validate)
    last = state.watch.checks[-1].metrics
    assert last["accuracy"] == pytest.approx((6 + 0) / 12), "six of nine are good; no open answer is right"
    assert last["generated_accuracy"] == pytest.approx(6 / 9), "of the closed task alone"
    logged = curve(tmp_path)[-1]
    assert (logged["validation_accuracy"], logged["num_items_validation_accuracy"]) == (last["accuracy"], 12)
    assert logged["num_items_validation_generated_accuracy"] == 9


def test_the_model_is_in_evaluation_mode_and_draws_are_taken_back(tiny_model) -> None:
    moved = tuned(tiny_model)
    moved.model.train()
    torch.manual_seed(3)
    before = torch.get_rng_state()

    def validate():
        assert not moved.model.training
        return {"drawn": (float(torch.rand(())), 1)}

    assert math.isfinite(task_metrics(moved.model, validate)["drawn"][0])
    assert torch.equal(torch.get_rng_state(), before)


def test_early_stopping_by_a_metric_keeps_its_best_weights_and_goes_on_after_a_stop(tiny_model, tmp_path) -> None:
    """Scripted figures: the best is the second check, then two that are worse, whatever the loss does."""
    rule = EarlyStopping(metric="accuracy", patience=2)
    settings = SETTINGS.model_copy(
        update={"early_stopping": rule, "eval_metrics": EvalMetrics(metrics=["accuracy"]), "save_total_limit": 2}
    )
    scripted = {0: 0.2, 2: 0.9, 4: 0.5, 6: 0.5}
    moved = tuned(tiny_model)
    kept = {}

    def validate():
        step = len(kept) * 2
        kept[step] = moved.state()
        return {"accuracy": (scripted[step], 10)}

    _, state = run(tiny_model, tmp_path, settings, moved=moved, validate=validate)
    assert state.watch.best is not None
    assert (state.watch.best.step, state.watch.num_worse, state.step) == (2, 2, 6)
    assert all(torch.equal(weight, kept[2][name]) for name, weight in moved.state().items())
    again = tuned(tiny_model)
    _, resumed = run(tiny_model, tmp_path, settings, moved=again, validate=validate)
    assert resumed.watch == state.watch
    assert all(torch.equal(weight, kept[2][name]) for name, weight in again.state().items())
