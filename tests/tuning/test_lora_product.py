"""A layer and its update in one operation: PEFT's own numbers, forward and backward."""

import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import Linear
from torch import nn

from instructglm.config.tuning import LoraTuning
from instructglm.models.loading import load
from instructglm.tuning.lora import apply_lora
from instructglm.tuning.lora_product import FusedLinear, LoraProduct, fuse_products


class Two(nn.Module):
    """Two linear layers, the second without a bias."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(12, 20), nn.Linear(20, 6, bias=False)

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


def adapted(dtype=torch.float32, **settings):
    """The same layers as PEFT computes them and fused, with updates that are not zero."""
    torch.manual_seed(3)
    config = LoraConfig(r=3, lora_alpha=7, target_modules=["first", "second"], init_lora_weights=False, **settings)
    by_peft = get_peft_model(Two(), config).to(dtype)
    fused = copy.deepcopy(by_peft)
    fuse_products(fused)
    return by_peft, fused


def num_fused(model):
    return sum(isinstance(module, FusedLinear) for module in model.modules())


def outcome(model, x, dtype=None):
    """The output, and the gradients of the input and of all that moves."""
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", dtype, enabled=dtype is not None):
        y = model(x)
    (y.double() ** 2).sum().backward()
    moving = [weight.grad for weight in model.parameters() if weight.requires_grad]
    return [y.detach(), x.grad, *moving]


@pytest.mark.parametrize("shape", [(12,), (5, 12), (2, 5, 12), (1, 1, 12), (0, 12), (2, 0, 12)])
def test_output_and_gradients_are_those_of_peft(shape):
    by_peft, fused = adapted(torch.float64)
    assert num_fused(fused) == 2
    x = torch.randn(shape, dtype=torch.float64)
    for one, other in zip(outcome(by_peft, x), outcome(fused, x), strict=True):
        assert one.shape == other.shape
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-12)


def test_the_backward_pass_is_the_derivative_of_the_forward_pass():
    torch.manual_seed(1)
    sizes = {"x": (2, 4, 6), "weight": (5, 6), "bias": (5,), "a": (3, 6), "b": (5, 3)}
    x, weight, bias, a, b = (
        torch.randn(size, dtype=torch.float64, requires_grad=name in "xab") for name, size in sizes.items()
    )
    assert torch.autograd.gradcheck(LoraProduct.apply, (x, weight, bias, a, b, 0.7))


def test_in_bfloat16_it_is_no_further_from_the_truth_than_peft():
    by_peft, fused = adapted()
    x = torch.randn(2048, 12)
    truth = outcome(copy.deepcopy(by_peft).double(), x.double())

    def error(model):
        found = outcome(model, x, torch.bfloat16)
        return sum(float((one - true).norm() / true.norm()) for one, true in zip(found, truth, strict=True)) / len(
            truth
        )

    assert error(fused) < 1.1 * error(by_peft) < 0.02
    assert fused.base_model.model.first(x).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert fused.base_model.model.first(x).dtype == torch.bfloat16


def test_no_more_is_kept_for_the_backward_pass():
    def kept(model):
        seen = {}

        def keep(tensor):
            storage = tensor.untyped_storage()
            seen[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = model(torch.randn(512, 12)).sum()
        loss.backward()
        weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
        return sum(size for place, size in seen.items() if place not in weights)

    by_peft, fused = adapted()
    assert kept(fused) <= kept(by_peft)


@pytest.mark.parametrize("settings", [{"lora_dropout": 0.5}, {"use_dora": True}])
def test_what_is_not_one_plain_update_is_left_to_peft_call_by_call(settings, monkeypatch):
    by_peft, fused = adapted(**settings)
    assert num_fused(fused) == 2
    monkeypatch.delattr(LoraProduct, "forward")  # a call of it would be an error
    x = torch.randn(5, 12)
    outputs = []
    for model in (by_peft, fused):
        model.train()
        torch.manual_seed(0)
        outputs.append(model(x))
    assert torch.equal(*outputs)


def test_dropout_that_rests_is_none():
    by_peft, fused = (model.eval() for model in adapted(lora_dropout=0.5))
    x = torch.randn(5, 12)
    assert torch.allclose(by_peft(x), fused(x), atol=1e-6)


def test_without_the_adapter_it_is_the_base():
    by_peft, fused = adapted()
    x = torch.randn(5, 12)
    with by_peft.disable_adapter(), fused.disable_adapter():
        assert torch.equal(by_peft(x), fused(x))


def test_merged_equals_unmerged_and_comes_apart_again():
    _, fused = adapted(torch.float64)
    x = torch.randn(5, 12, dtype=torch.float64)
    apart = fused(x)
    fused.merge_adapter()
    assert torch.allclose(fused(x), apart, atol=1e-12)
    fused.unmerge_adapter()
    assert torch.allclose(fused(x), apart, atol=1e-12)


def test_two_adapters_at_once_are_left_to_peft():
    by_peft, fused = adapted()
    for model in (by_peft, fused):
        torch.manual_seed(5)
        model.add_adapter("other", LoraConfig(r=2, target_modules=["first"], init_lora_weights=False))
        model.base_model.set_adapter(["default", "other"])
    x = torch.randn(5, 12)
    assert torch.equal(by_peft(x), fused(x))


def test_another_dtype_than_that_of_the_weights_is_left_to_peft():
    by_peft, fused = adapted()
    x = torch.randn(5, 12, dtype=torch.bfloat16)
    for model in (by_peft, fused):
        model.base_model.model.first.get_base_layer().bfloat16()
        model.base_model.model.second.get_base_layer().bfloat16()
    assert torch.equal(by_peft(x), fused(x))


def test_a_base_that_moves_is_left_to_peft():
    by_peft, fused = adapted()
    for model in (by_peft, fused):
        model.base_model.model.first.get_base_layer().weight.requires_grad_(True)
    x = torch.randn(5, 12)
    first, second = outcome(by_peft, x), outcome(fused, x)
    assert len(first) == len(second) == 7
    for one, other in zip(first, second, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("settings", [{}, {"dropout": 0.5}, {"use_dora": True}])
def test_the_method_fuses_every_layer_with_an_update(tiny_model, settings):
    model = apply_lora(load(tiny_model)[0], LoraTuning(**settings), dtype=torch.float32, seed=1).model
    assert num_fused(model) == sum(isinstance(module, Linear) for module in model.modules()) == 14
