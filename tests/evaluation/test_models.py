"""The models of an evaluation: which, in which order, and base beside tuned."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from instructglm.config.data import DataSettings
from instructglm.config.evaluation import EvaluationSettings
from instructglm.config.experiment import Experiment
from instructglm.config.tuning import FreezeTuning, LoraTuning
from instructglm.core.errors import ModelError
from instructglm.core.progress import SilentProgress
from instructglm.core.records import Example, Message, Output
from instructglm.evaluation.models import Arithmetic, arithmetic_of, model_names, predictors
from instructglm.evaluation.predict import predict
from instructglm.models.loading import load
from instructglm.tuning import METHODS

CPU = Arithmetic(torch.device("cpu"), torch.float32, "eager")
THIRD = {"name": "third", "name_or_path": ""}
DATA = DataSettings.model_validate({"sources": [{"path": "a"}]})
EXAMPLES = [
    Example(
        id=f"{number}", task="t", messages=(Message(role="user", content=f"Question {number}?"),), row=f"a:{number}",
        outputs=(Output(text="yes"),), choices=("yes", "no") if number % 2 else (), group=f"{number}",
    )
    for number in range(6)
]  # fmt: skip


def settings(tiny_model: Path) -> EvaluationSettings:
    models = ["base", "tuned", THIRD | {"name_or_path": str(tiny_model)}]
    return EvaluationSettings.model_validate({"models": models, "max_new_tokens": 6, "max_new_tokens_closed": 4})


def make_run(tiny_model: Path, folder: Path, tuning) -> Path:
    """A run folder whose weights were moved far from the base's."""
    model, tokenizer = load(tiny_model)
    tuned = METHODS[tuning.method](model, tuning, dtype=torch.float32, seed=1)
    with torch.no_grad():
        for weight in tuned.trainable().values():
            weight.add_(torch.full_like(weight, 0.05))
    tuned.save(folder / tuned.name)
    if tuned.name == "model":
        tokenizer.save_pretrained(folder / tuned.name)
    return folder


@pytest.fixture(scope="module", params=[LoraTuning(rank=2), FreezeTuning(method="freeze")], ids=["lora", "freeze"])
def run(request, tiny_model, tmp_path_factory) -> Path:
    return make_run(tiny_model, tmp_path_factory.mktemp("run"), request.param)


def answers(predictor):
    made = predict(predictor, EXAMPLES, settings(Path("x")), DATA, SilentProgress())
    return [one.model_dump(exclude={"model"}) for one in made]


def test_names_are_in_the_experiments_order(tiny_model):
    assert model_names(settings(tiny_model)) == ["base", "tuned", "third"]
    assert model_names(EvaluationSettings.model_validate({"models": ["tuned", "base"]})) == ["tuned", "base"]


def test_base_answers_as_the_model_it_was_tuned_from_and_tuned_otherwise(tiny_model, run):
    """The third model is the base's own folder, loaded by itself."""
    made = {}
    for predictor in predictors(settings(tiny_model), {"base", "tuned", "third"}, str(tiny_model), run, CPU):
        made[predictor.name] = answers(predictor)
    assert list(made) == ["base", "tuned", "third"]
    assert made["base"] == made["third"]
    assert made["tuned"] != made["base"]


@pytest.mark.parametrize("wanted", [{"tuned"}, {"base"}, {"third"}, set()])
def test_only_the_wanted_are_loaded(tiny_model, run, wanted):
    found = predictors(settings(tiny_model), wanted, str(tiny_model), run, CPU)
    assert {predictor.name for predictor in found} == wanted


def test_a_damaged_adapter_is_refused_with_the_next_move(tiny_model, tmp_path):
    folder = make_run(tiny_model, tmp_path, LoraTuning(rank=2))
    (folder / "adapter" / "adapter_model.safetensors").write_bytes(b"cut off")
    with pytest.raises(ModelError, match="adapter: damaged") as caught:
        next(predictors(settings(tiny_model), {"tuned"}, str(tiny_model), folder, CPU))
    assert "run again" in caught.value.hint


def test_arithmetic_is_what_the_settings_come_to():
    experiment = Experiment.model_validate(
        {"name": "a", "model": {"dtype": "bfloat16", "device": "cpu"}, "data": {"sources": [{"path": "a"}]}}
    )
    assert arithmetic_of(experiment) == Arithmetic(torch.device("cpu"), torch.bfloat16, "sdpa")
