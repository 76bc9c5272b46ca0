"""Weights of four bits: near to those they were made from, trained beside, read again, and counted."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from instructglm.config.experiment import Experiment
from instructglm.config.model import Quantization
from instructglm.config.tuning import LoraTuning
from instructglm.core.errors import ModelError
from instructglm.data.features import Feature
from instructglm.data.templates import Encoded
from instructglm.evaluation.models import Arithmetic
from instructglm.models.guard import require_finite
from instructglm.models.loading import load
from instructglm.models.quantization import loading_in_few_bits
from instructglm.training.batches import micro_batches
from instructglm.training.loss import weighted_nats
from instructglm.tuning import METHODS, adapter_off, load_adapter

pytest.importorskip("bitsandbytes")
CPU = torch.device("cpu")
IDS = torch.arange(20, 50)[None]
CHOICES = [Quantization(), Quantization(bnb_4bit_quant_type="fp4"), Quantization(bnb_4bit_use_double_quant=False)]


def quantized(place, choice=CHOICES[0], dtype=torch.float32):
    return load(place, attn_implementation="eager", **loading_in_few_bits(choice, dtype, CPU))[0]


def logits(model):
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=False):
        return model.eval()(input_ids=IDS).logits.float()


def one_batch():
    feature = Feature("a", Encoded.untrained([5, 6, 7, 8]), [[9, 10, 11], [12]], [0.5, 0.5])
    return micro_batches([feature], 9, 0, packed=False)[0]


@pytest.mark.parametrize("choice", CHOICES, ids=["nf4", "fp4", "single"])
def test_linear_layers_but_the_head_have_four_bits(tiny_model, choice):
    model, exact = quantized(tiny_model, choice), load(tiny_model)[0]
    assert 0 < (logits(model) - logits(exact)).norm() / logits(exact).norm() < 0.5
    kinds = {type(module).__name__ for module in model.modules() if isinstance(module, nn.Linear)}
    assert kinds == {"Linear4bit", "Linear"}
    assert type(model.get_output_embeddings()) is nn.Linear
    assert {weight.dtype for name, weight in model.named_parameters() if "proj" in name} == {torch.uint8}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_layer_learns_also_after_it_has_answered(tiny_model, dtype):
    """bitsandbytes would repack weights for answers, in a form through which nothing flows back."""
    model = quantized(tiny_model, dtype=dtype)
    before = logits(model)
    tuned = METHODS["lora"](model, LoraTuning(rank=4), dtype=dtype, seed=1)
    assert torch.equal(logits(tuned.model), before)
    tuned.model.train()
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype != torch.float32):
        weighted_nats(tuned.model, one_batch()).backward()
    assert all(weight.grad.abs().sum() > 0 for name, weight in tuned.trainable().items() if "lora_B" in name)
    assert {weight.dtype for weight in tuned.trainable().values()} == {torch.float32}


def test_parameters_are_counted_not_bytes(tiny_model):
    tuned = METHODS["lora"](quantized(tiny_model), LoraTuning(rank=4), dtype=torch.float32, seed=1)
    exact = METHODS["lora"](load(tiny_model)[0], LoraTuning(rank=4), dtype=torch.float32, seed=1)
    assert (tuned.num_parameters(), tuned.num_trainable()) == (exact.num_parameters(), exact.num_trainable())


def test_training_goes_down_and_the_saved_adapter_is_read_on_the_same_bits(tiny_model, tmp_path):
    tuned = METHODS["lora"](quantized(tiny_model), LoraTuning(rank=8), dtype=torch.float32, seed=1)
    base = logits(tuned.model)
    optimizer = torch.optim.AdamW(tuned.trainable().values(), lr=1e-2)
    losses = []
    for _ in range(10):
        loss = weighted_nats(tuned.model.train(), one_batch())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.97 * losses[0]
    expected = logits(tuned.model)
    tuned.save(tmp_path / "adapter")
    model, _ = Arithmetic(CPU, torch.float32, "eager", Quantization()).load(str(tiny_model))
    again = load_adapter(model, tmp_path / "adapter")
    assert torch.equal(logits(again), expected)
    with adapter_off(again):
        assert torch.equal(logits(again), base)


def test_what_it_needs_is_told(tiny_model, monkeypatch):
    with pytest.raises(ModelError, match="the device is mps"):
        loading_in_few_bits(Quantization(), torch.float32, torch.device("mps"))
    monkeypatch.setattr("instructglm.models.quantization.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"model\.quantization_config is set, which needs bitsandbytes") as caught:
        loading_in_few_bits(Quantization(), torch.float32, CPU)
    assert caught.value.hint == "Run: pip install 'instructglm[bitsandbytes]'"
    assert loading_in_few_bits(None, torch.float32, CPU) == {}


@pytest.mark.parametrize("method", ["full", "freeze"])
def test_weights_that_move_are_never_quantized(method):
    with pytest.raises(ValueError, match=f"tuning.method is {method}, which moves weights that would have few bits"):
        Experiment.model_validate(
            {"name": "a", "data": {"sources": [{"path": "a"}]}, "model": {"quantization_config": {}}}
            | {"tuning": {"method": method}}
        )


@pytest.mark.parametrize("bits", [None, Quantization(), Quantization(bnb_4bit_use_double_quant=False)])
@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(tiny_model, tmp_path, bits, wrong):
    model, _ = load(tiny_model)
    require_finite(model, "the tiny one")
    name = "model.layers.1.mlp.down_proj.weight"
    with torch.no_grad():
        model.get_parameter(name)[3, 4] = wrong
    model.save_pretrained(tmp_path)
    broken, _ = load(tmp_path, **loading_in_few_bits(bits, torch.float32, CPU))
    with pytest.raises(ModelError, match=f"{name} holds") as caught:
        require_finite(broken, str(tmp_path))
    assert "get it anew" in caught.value.hint


def test_the_command_line_is_spared_the_advice_on_kernels_and_nothing_else():
    code = (
        "import sys, logging; from instructglm.cli import main; sys.argv = ['instructglm', 'env', '--help']\n"
        "try: main.main()\nexcept SystemExit: pass\n"
        "told = logging.getLogger('bitsandbytes.backends.cpu.ops')\n"
        "told.warning('Failed to load CPU gemm_4bit_forward from %s', 'somewhere'); told.warning('something else')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "something else"
