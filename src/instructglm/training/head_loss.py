"""Cross entropy of a linear head without the matrix of all logits.

Logits of a chunk of positions are made, turned into their own gradient in
place, and given up before the next chunk: the forward pass already holds what
the backward pass needs, which is as large as the hidden states, not as the
vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

# Shapes: N positions that predict a label, E hidden size, V vocabulary, C positions of a chunk.

_CHUNK_ELEMENTS = 2**25  # logits at a time: 128 MiB in float32


def head_loss(head: nn.Module, hidden: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The sum of weight x negative log-likelihood over positions, a float32 scalar.

    Args:
        head: from hidden states to logits. A plain `nn.Linear` is computed once; any other (one with an adapter, one
            of few bits) a second time in the backward pass.
        hidden: (N, E)
        labels: (N,)
        weights: (N,) float32
    """
    if type(head) is nn.Linear and torch.is_grad_enabled():
        size = _chunk_size(head.out_features)
        kind = hidden.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype
        loss: torch.Tensor = _HeadLoss.apply(hidden, head.weight, head.bias, labels, weights, dtype, size)  # type: ignore[no-untyped-call]
        return loss
    size = _chunk_size(_num_logits(head, hidden))
    total = torch.zeros((), dtype=torch.float32, device=hidden.device)
    for chunk in zip(hidden.split(size), labels.split(size), weights.split(size), strict=True):  # type: ignore[no-untyped-call]
        total = total + (
            checkpoint(_nats, head, *chunk, use_reentrant=False) if torch.is_grad_enabled() else _nats(head, *chunk)
        )
    return total


def _chunk_size(num_logits: int) -> int:
    return max(1, _CHUNK_ELEMENTS // num_logits)


def _num_logits(head: nn.Module, hidden: torch.Tensor) -> int:
    with torch.no_grad():
        return int(head(hidden[:1]).shape[-1])


def _nats(head: nn.Module, hidden: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    nats = F.cross_entropy(head(hidden).float(), labels, reduction="none")
    return (nats * weights).sum()


class _HeadLoss(torch.autograd.Function):
    """`_nats` over chunks, with the gradients made on the way."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        labels: torch.Tensor,
        weights: torch.Tensor,
        dtype: torch.dtype,
        size: int,
    ) -> torch.Tensor:
        needs_hidden, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        states, matrix = hidden.to(dtype), weight.to(dtype)
        of_hidden = torch.empty_like(states) if needs_hidden else None
        of_weight = torch.zeros_like(weight, dtype=torch.float32) if needs_weight else None
        of_bias = torch.zeros_like(weight[:, 0], dtype=torch.float32) if needs_bias else None
        buffer = states.new_empty(min(size, len(states)), len(matrix))
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        with torch.autocast(hidden.device.type, enabled=False):
            for start in range(0, len(states), size):
                part = slice(start, start + size)
                logits = _logits(states[part], matrix, bias, buffer[: len(labels[part])])
                total += _turn_into_gradient(logits, labels[part], weights[part])
                if of_hidden is not None:
                    torch.mm(logits, matrix, out=of_hidden[part])
                if of_weight is not None:
                    of_weight += logits.t() @ states[part]
                if of_bias is not None:
                    of_bias += logits.sum(0, dtype=torch.float32)
        gradients = (of_hidden, of_weight, of_bias)
        inputs = (hidden, weight, bias)
        ctx.gradients = [g if g is None or x is None else g.to(x.dtype) for g, x in zip(gradients, inputs, strict=True)]
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (of_loss,) = gradients
        of_inputs = [None if gradient is None else gradient.mul_(of_loss) for gradient in ctx.gradients]
        ctx.gradients = None  # they are as large as what they are gradients of
        return (*of_inputs, None, None, None, None)


def _logits(states: torch.Tensor, matrix: torch.Tensor, bias: torch.Tensor | None, out: torch.Tensor) -> torch.Tensor:
    """(C, V), in `out`; the bias is added before anything is rounded."""
    if bias is None:
        return torch.mm(states, matrix.t(), out=out)
    return torch.addmm(bias.to(matrix.dtype), states, matrix.t(), out=out)


def _turn_into_gradient(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The chunk's loss; `logits` (C, V) then holds weight x (softmax - label), its gradient."""
    rows = torch.arange(len(labels), device=logits.device)
    exact = (
        logits.float()
    )  # itself where it is float32; in bfloat16, a label that is all but sure would have no gradient
    logs = exact.logsumexp(dim=1)
    nats = logs - exact[rows, labels]
    exact.sub_(logs[:, None]).exp_()
    exact[rows, labels] -= 1
    exact.mul_(weights[:, None])
    if exact is not logits:
        logits.copy_(exact)
    return (nats * weights).sum()
