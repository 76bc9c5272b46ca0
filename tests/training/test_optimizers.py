"""Every optimizer of the experiment file moves the weights, and goes on after a checkpoint as if it had not stopped."""

from __future__ import annotations

import importlib.util
from typing import get_args

import pytest
import torch
from peft.optimizers import create_loraplus_optimizer

from instructglm.config.training import TrainingSettings
from instructglm.config.tuning import FullTuning, LoraTuning
from instructglm.core.errors import ModelError, RunError
from instructglm.models.loading import load
from instructglm.training.checkpoint import RunState, resume, save_checkpoint
from instructglm.training.optimizers import OPTIMIZERS, make_optimizer
from instructglm.training.schedules import make_schedule
from instructglm.tuning import METHODS

ON_CPU = [name for name in OPTIMIZERS if not name.startswith("paged")]
LORA = LoraTuning(rank=128)  # matrices large enough to have a state of 8 bits
HAS_8_BITS = {name for name in ON_CPU if name.endswith("8bit")}
NEEDS_ARGUMENTS = {"sgd": {"momentum": 0.9}, "rmsprop": {"momentum": 0.5, "centered": True}}


def settings(name: str, **others) -> TrainingSettings:
    given = {"optimizer": name, "learning_rate": 1e-3, "optim_args": NEEDS_ARGUMENTS.get(name, {})}
    return TrainingSettings(**given | others)


def moved(folder, tuning=LORA):
    return METHODS[tuning.method](load(folder)[0], tuning, dtype=torch.float32, seed=5)


def steps(tuned, optimizer, first: int, last: int) -> None:
    """Steps on gradients that are drawn from the step's number."""
    for step in range(first, last):
        generator = torch.Generator().manual_seed(step)
        for weight in tuned.trainable().values():
            weight.grad = torch.randn(weight.shape, generator=generator)
        optimizer.step()


@pytest.fixture(autouse=True)
def _needs_bitsandbytes(request):
    name = request.node.callspec.params.get("name", "adamw") if hasattr(request.node, "callspec") else "adamw"
    if OPTIMIZERS[name][0].startswith("bitsandbytes") and importlib.util.find_spec("bitsandbytes") is None:
        pytest.skip("bitsandbytes is not installed")


def test_the_configuration_names_them_all():
    assert set(get_args(TrainingSettings.model_fields["optimizer"].annotation)) == set(OPTIMIZERS)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")
def test_it_moves_every_weight_and_goes_on_after_a_checkpoint_bit_by_bit(tiny_model, tmp_path, name, monkeypatch):
    monkeypatch.setattr("instructglm.training.optimizers._require_pages", lambda *_: None)  # without pages, the same
    whole = moved(tiny_model)
    start, optimizer = whole.state(), make_optimizer(whole, settings(name))
    steps(whole, optimizer, 0, 3)
    save_checkpoint(tmp_path, whole, optimizer, RunState(step=3))
    steps(whole, optimizer, 3, 6)
    again = moved(tiny_model)
    resumed = make_optimizer(again, settings(name))
    assert resume(tmp_path, again, resumed).step == 3
    steps(again, resumed, 3, 6)
    end = whole.state()
    assert not [weight for weight in end if torch.equal(end[weight], start[weight])]
    assert not [weight for weight in end if not torch.equal(end[weight], again.state()[weight])]


@pytest.mark.parametrize("name", sorted(HAS_8_BITS))
def test_state_of_8_bits_is_kept_in_bytes_and_that_of_embeddings_is_not(tiny_model, name):
    full = moved(tiny_model, FullTuning(method="full"))
    optimizer = make_optimizer(full, settings(name, optim_args={"min_8bit_size": 64}))
    steps(full, optimizer, 0, 1)
    kinds = {weight: optimizer.state[full.trainable()[weight]]["state1"].dtype for weight in full.trainable()}
    assert kinds["model.embed_tokens.weight"] == torch.float32
    assert kinds["model.layers.0.mlp.up_proj.weight"] == torch.uint8
    other = make_optimizer(moved(tiny_model), settings(name))
    assert other.mng.pid2config.keys().isdisjoint({id(full.trainable()["model.embed_tokens.weight"])})


@pytest.mark.parametrize("name", ["paged_adamw_8bit", "paged_adamw_32bit"])
def test_pages_need_a_gpu(tiny_model, name):
    with pytest.raises(RunError, match=f"training.optimizer is {name}.*the device is cpu"):
        make_optimizer(moved(tiny_model), settings(name))


def test_an_argument_that_it_does_not_take_is_named(tiny_model):
    with pytest.raises(RunError, match="'momentum'") as caught:
        make_optimizer(moved(tiny_model), settings("adafactor", optim_args={"momentum": 0.9}))
    assert "momentum: 0.9" in caught.value.hint


def test_without_bitsandbytes_the_command_that_installs_it_is_told(tiny_model, monkeypatch):
    monkeypatch.setattr("instructglm.models.quantization.find_spec", lambda name: None)
    with pytest.raises(ModelError, match="adamw_8bit, which needs bitsandbytes") as caught:
        make_optimizer(moved(tiny_model), settings("adamw_8bit"))
    assert "pip install 'instructglm[bitsandbytes]'" in caught.value.hint


def test_only_matrices_decay(tiny_model):
    full = moved(tiny_model, FullTuning(method="full"))
    optimizer = make_optimizer(full, settings("adamw", weight_decay=0.1))
    decays = {id(weight): group["weight_decay"] for group in optimizer.param_groups for weight in group["params"]}
    named = {name: decays[id(weight)] for name, weight in full.trainable().items()}
    assert {name for name, decay in named.items() if decay == 0.0} == {name for name in named if "norm" in name}
    assert set(named.values()) == {0.0, 0.1}


def test_one_group_where_nothing_tells_weights_apart(tiny_model):
    assert len(make_optimizer(moved(tiny_model), settings("adamw", weight_decay=0.1)).param_groups) == 1


def test_lora_plus_gives_each_weight_the_rate_that_peft_gives_it(tiny_model):
    plus = moved(tiny_model, LoraTuning(rank=4, loraplus_lr_ratio=16.0))
    ours = make_optimizer(plus, settings("adamw"))
    theirs = create_loraplus_optimizer(plus.model, torch.optim.AdamW, lr=1e-3, loraplus_lr_ratio=16.0)
    rates = [{id(w): group["lr"] for group in one.param_groups for w in group["params"]} for one in (ours, theirs)]
    assert rates[0] == rates[1]
    assert set(rates[0].values()) == {1e-3, 1.6e-2}
    assert ours.param_groups[0]["lr"] == 1e-3  # the rate that is logged


@pytest.mark.parametrize("name", ON_CPU)
@pytest.mark.parametrize(
    ("kind", "arguments"), [("cosine_with_min_lr", {"min_lr": 1e-4}), ("polynomial", {"lr_end": 1e-4})]
)
def test_a_schedule_ends_at_the_floor_it_is_given_whatever_the_optimizers_own_rate_is(
    tiny_model, name, kind, arguments
):
    tuned = moved(tiny_model)
    given = settings(name, learning_rate=2e-2, lr_scheduler_type=kind, lr_scheduler_kwargs=arguments, warmup_ratio=0.0)
    optimizer = make_optimizer(tuned, given)
    schedule = make_schedule(optimizer, given, num_steps=50, done=50)
    assert schedule.get_last_lr()[0] == pytest.approx(1e-4, rel=1e-6)
