"""Compiled layers give the same loss and gradients for rows of any length, under the same names, or are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import tiny_chatglm
import torch
from torch.testing import assert_close

from instructglm.config.tuning import FreezeTuning, LoraTuning
from instructglm.core.errors import RunError
from instructglm.data.features import Feature
from instructglm.data.templates import Encoded
from instructglm.models.loading import load
from instructglm.training.batches import micro_batches
from instructglm.training.compilation import compile_layers
from instructglm.training.loop import Setting
from instructglm.training.loss import weighted_nats
from instructglm.tuning import METHODS, TunedModel

CPU = Setting(torch.device("cpu"), torch.float32, 3, seed=5)
pytestmark = pytest.mark.slow


def features(count: int, seed: int, end: list[int]) -> list[Feature]:
    generator = torch.Generator().manual_seed(seed)

    def ids(length: int) -> list[int]:
        return torch.randint(5, 85, (length,), generator=generator).tolist()

    return [
        Feature(str(n), Encoded.untrained([*ids(n + 3), *end]), [ids(2), ids(n + 1)], [0.5, 0.5]) for n in range(count)
    ]


def loss_and_gradients(tuned: TunedModel, chosen: list[Feature], *, packed: bool):
    loss = weighted_nats(tuned.model, micro_batches(chosen, 99, 3, packed=packed)[0])
    loss.backward()
    found = {name: weight.grad.clone() for name, weight in tuned.trainable().items()}
    tuned.model.zero_grad(set_to_none=True)
    return loss.detach(), found


@pytest.fixture(params=["llama", "chatglm"])
def folder(request, tmp_path):
    if request.param == "llama":
        return request.getfixturevalue("tiny_model")
    tiny_chatglm.build().save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize("packed", [True, False])
def test_rows_of_any_length_have_the_same_loss_and_gradients(folder, packed, tmp_path):
    end = [91, 94]  # which ChatGLM-6B looks for; to a Llama they are ids like any
    rows = [features(2 + size, size, end) for size in range(4)]
    model, _ = load(folder, attn_implementation="shared_prefix" if packed else "eager")
    tuned = METHODS["lora"](model, LoraTuning(rank=4), dtype=torch.float32, seed=5)
    expected, names = [loss_and_gradients(tuned, row, packed=packed) for row in rows], list(tuned.state())
    compile_layers(tuned, rows[0], replace(CPU, packed=packed))
    for row, (loss, gradients) in zip(rows, expected, strict=True):
        found, found_gradients = loss_and_gradients(tuned, row, packed=packed)
        assert_close(found, loss, rtol=1e-5, atol=0)
        assert_close(found_gradients, gradients, rtol=1e-4, atol=1e-5)
    assert list(tuned.state()) == names
    tuned.save(tmp_path / "adapter")
    assert (tmp_path / "adapter" / "adapter_config.json").exists()


@pytest.mark.parametrize("packed", [True, False])
def test_in_bfloat16_the_trial_takes_rounding_for_rounding(folder, packed):
    model, _ = load(folder, attn_implementation="shared_prefix" if packed else "eager")
    tuned = METHODS["lora"](model, LoraTuning(rank=4), dtype=torch.bfloat16, seed=5)
    compile_layers(tuned, features(4, 0, [91, 94]), replace(CPU, dtype=torch.bfloat16, packed=packed))


def test_a_gradient_that_is_a_fifth_too_large_is_not_rounding(tiny_model, monkeypatch):
    """Of one layer; the loss is the same."""

    def wrong(layer, **_):
        own = layer.forward
        layer.forward = lambda *args, **kwargs: larger(own(*args, **kwargs))

    def larger(hidden):
        return hidden + 0.2 * (hidden - hidden.detach())

    tuned = METHODS["freeze"](
        load(tiny_model)[0], FreezeTuning(method="freeze", num_layers=1), dtype=torch.bfloat16, seed=5
    )
    monkeypatch.setattr(torch.nn.Module, "compile", wrong)
    with pytest.raises(RunError, match=r"this model has gradients when compiled that differ by"):
        compile_layers(tuned, features(2, 0, []), replace(CPU, dtype=torch.bfloat16))


def test_a_compiler_that_is_not_there_is_told_with_the_setting(tiny_model, monkeypatch):
    tuned = METHODS["lora"](load(tiny_model)[0], LoraTuning(rank=4), dtype=torch.float32, seed=5)
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    monkeypatch.setattr("torch._inductor.config.force_disable_caches", True)
    torch.compiler.reset()
    with pytest.raises(
        RunError, match=r"training\.torch_compile is true, and this model cannot be compiled here"
    ) as told:
        compile_layers(tuned, features(2, 0, []), CPU)
    assert "C++ compiler" in told.value.hint


def test_a_compiler_that_computes_something_else_is_refused(tiny_model, monkeypatch):
    """One that leaves every layer out stands for it."""

    def wrong(layer, **_):
        layer.forward = lambda hidden_states, *args, **kwargs: hidden_states

    tuned = METHODS["freeze"](
        load(tiny_model)[0], FreezeTuning(method="freeze", train_head=True), dtype=torch.float32, seed=5
    )
    monkeypatch.setattr(torch.nn.Module, "compile", wrong)
    with pytest.raises(RunError, match=r"this model has a loss of .* when compiled, and of .* when not"):
        compile_layers(tuned, features(2, 0, []), CPU)
