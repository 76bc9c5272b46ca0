"""Attention of one example as plain matrix products, forward and backward."""

from __future__ import annotations

from typing import Any

import torch

# Shapes: L queries, K keys, H heads in G groups of N that share keys and values, D numbers a head.


def written_out(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor, scale: float
) -> torch.Tensor:
    """Exact attention that keeps its weights for the backward pass.

    Args:
        query: (H, L, D)
        key: (G, K, D)
        value: (G, K, E), often with E = D
        bias: (L, K), added to the scores: 0 where a key is seen, else -inf.
        scale: what the scores are multiplied by.

    Returns:
        (H, L, E)
    """
    num_heads, length, size = query.shape
    groups = key.shape[0]
    share = num_heads // groups
    # The heads that share keys lie one below the other: nothing is copied for them, and their gradients add up.
    rows = query.reshape(groups, share * length, size)
    mixed: torch.Tensor = _Attention.apply(rows, key, value, bias.repeat(share, 1), scale)  # type: ignore[no-untyped-call]
    return mixed.reshape(num_heads, length, value.shape[-1])


class _Attention(torch.autograd.Function):
    """softmax(scale q k' + bias) v, over batches of matrices."""

    @staticmethod
    def forward(
        ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor, scale: float
    ) -> torch.Tensor:
        scores = torch.baddbmm(bias, query, key.transpose(1, 2), alpha=scale)  # (G, N L, K)
        weights = scores.softmax(-1)
        ctx.save_for_backward(query, key, value, weights)
        ctx.scale = scale
        return weights @ value

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, weights = ctx.saved_tensors
        (mixed,) = gradients
        of_weights = mixed @ value.transpose(1, 2)  # (G, N L, K)
        of_scores = torch._softmax_backward_data(of_weights, weights, -1, weights.dtype)
        return (
            (of_scores @ key).mul_(ctx.scale),
            (of_scores.transpose(1, 2) @ query).mul_(ctx.scale),
            weights.transpose(1, 2) @ mixed,
            None,
            None,
        )
