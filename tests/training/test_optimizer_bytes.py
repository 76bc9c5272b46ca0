"""What an optimizer is said to keep is what it keeps after a step, to the byte."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from instructglm.config.training import TrainingSettings
from instructglm.config.tuning import FullTuning, LoraTuning
from instructglm.models.loading import load, outline
from instructglm.training.optimizer_bytes import OPTIMIZER_BYTES, optimizer_bytes
from instructglm.training.optimizers import OPTIMIZERS, make_optimizer
from instructglm.tuning import METHODS

ARGUMENTS = {
    "adamw": {"amsgrad": True},
    "adamw_8bit": {"min_8bit_size": 64},
    "lion_8bit": {"min_8bit_size": 64},
    "adafactor": {"beta1": 0.9},
    "sgd": {"momentum": 0.9},
    "rmsprop": {"momentum": 0.5, "centered": True},
}
CASES = [(name, {}) for name in OPTIMIZERS] + list(ARGUMENTS.items())


def kept(optimizer: torch.optim.Optimizer) -> int:
    """Bytes of all tensors, each counted once, but for the counts of steps."""
    tensors = {
        state.data_ptr(): state.nbytes
        for states in optimizer.state.values()
        for name, state in states.items()
        if isinstance(state, torch.Tensor) and name != "step" and state.ndim
    }
    return sum(tensors.values())


def test_every_optimizer_has_its_bytes():
    assert set(OPTIMIZER_BYTES) == set(OPTIMIZERS)


@pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")
@pytest.mark.parametrize("tuning", [FullTuning(method="full"), LoraTuning(rank=128)], ids=["full", "lora"])
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_the_state_after_a_step_is_foretold_to_the_byte(tiny_model, name, arguments, tuning, monkeypatch):
    if OPTIMIZERS[name][0].startswith("bitsandbytes") and importlib.util.find_spec("bitsandbytes") is None:
        pytest.skip("bitsandbytes is not installed")
    monkeypatch.setattr("instructglm.training.optimizers._require_pages", lambda *_: None)  # without pages, the same
    settings = TrainingSettings(optimizer=name, optim_args=arguments)
    tuned = METHODS[tuning.method](load(tiny_model)[0], tuning, dtype=torch.float32, seed=1)
    optimizer = make_optimizer(tuned, settings)
    for weight in tuned.trainable().values():
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    with torch.device("meta"):
        empty = METHODS[tuning.method](outline(tiny_model), tuning, dtype=torch.float32, seed=1)
    assert optimizer_bytes(empty, settings) == kept(optimizer)
