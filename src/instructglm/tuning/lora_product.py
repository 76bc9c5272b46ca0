"""A linear layer with its LoRA update as one operation: PEFT's arithmetic in fewer passes over large matrices.

PEFT computes y = x W' + (x A') B' * s term by term, and autograd goes back term
by term: scaled, added and copied each time over as many numbers as the layer
has outputs. Here the update is added within the matrix product that makes it,
forward and backward, and what is kept for the backward pass is x and x A'.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from peft.tuners.lora import Linear
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

# Shapes: T tokens, I inputs and O outputs of the layer, R the rank.


def fuse_products(model: nn.Module) -> None:
    """Have every linear layer that PEFT gave an update compute both in one operation.

    A layer looks at each call: with dropout, DoRA and all else that is not the same, PEFT's own code runs.
    """
    for module in model.modules():
        if type(module) is Linear and type(module.base_layer) is nn.Linear:
            module.__class__ = FusedLinear  # the weights, their names and how they are saved stay PEFT's


class FusedLinear(Linear):  # type: ignore[misc]
    """PEFT's layer, but for how the one update that is at work is computed."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """(..., I) -> (..., O)."""
        dtype = _product_dtype(x)
        if args or not self._has_one_plain_update(kwargs, dtype):
            whole: torch.Tensor = super().forward(x, *args, **kwargs)
            return whole
        (name,) = self.active_adapters
        base: nn.Linear = self.base_layer
        bias = None if base.bias is None else base.bias.to(dtype)
        weights = (base.weight.to(dtype), bias, self.lora_A[name].weight.to(dtype), self.lora_B[name].weight.to(dtype))
        with torch.autocast(x.device.type, enabled=False):
            y: torch.Tensor = LoraProduct.apply(x.to(dtype), *weights, self.scaling[name])  # type: ignore[no-untyped-call]
        return y

    def _has_one_plain_update(self, kwargs: Mapping[str, Any], dtype: torch.dtype) -> bool:
        names = self.active_adapters
        if kwargs or self.disable_adapters or self.merged or len(names) != 1 or names[0] not in self.lora_A:
            return False
        (name,) = names
        base, lora_b = self.base_layer, self.lora_B[name]
        drops = self.training and not isinstance(self.lora_dropout[name], nn.Identity)
        moves = any(weight.requires_grad for weight in base.parameters())
        is_plain = name not in self.lora_variant and lora_b.bias is None and not drops and not moves
        # without autocast, PEFT goes by the dtypes of the weights
        return is_plain and (torch.is_autocast_enabled(base.weight.device.type) or base.weight.dtype == dtype
                             == lora_b.weight.dtype)  # fmt: skip


def _product_dtype(x: torch.Tensor) -> torch.dtype:
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


class LoraProduct(torch.autograd.Function):
    """x W' + bias + s (x A') B', with W (O, I) and bias frozen, A (R, I) and B (O, R), all of one dtype."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, a: torch.Tensor, b: torch.Tensor,
        scaling: float,
    ) -> torch.Tensor:  # fmt: skip
        flat = x.reshape(-1, x.shape[-1])  # (T, I)
        inner = flat @ a.T  # (T, R)
        y = F.linear(flat, weight, bias).addmm_(inner, b.T, alpha=scaling)  # (T, O)
        ctx.save_for_backward(flat, inner, weight, a, b)
        ctx.scaling, ctx.shape = scaling, x.shape
        return y.view(*x.shape[:-1], b.shape[0])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        flat, inner, weight, a, b = ctx.saved_tensors
        grad = grad.reshape(-1, grad.shape[-1])  # (T, O)
        grad_inner = (grad @ b).mul_(ctx.scaling)  # (T, R)
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = (grad @ weight).addmm_(grad_inner, a).view(ctx.shape)
        return grad_x, None, None, grad_inner.T @ flat, (grad.T @ inner).mul_(ctx.scaling), None
