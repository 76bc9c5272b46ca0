"""Attention over a packed row (`attn_implementation="shared_prefix"`), example by example, without a mask of the row.

On a CPU it is exact attention in one of two forms, whichever is faster at the
length: written out with a backward pass of its own (torch's fused kernel
spends more on going backward over some hundred tokens in bfloat16 than the
matrix products take), or fused, of which a causal sequence needs no mask. On
an accelerator it is flex attention with a block mask of the row.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from transformers.integrations.flex_attention import flex_attention_forward
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from instructglm.core.errors import ModelError
from instructglm.models.shared_prefix.segments import Bounds, Segments
from instructglm.models.shared_prefix.written_out import written_out

# Shapes: T tokens of the row, L of one example, P in front that everything sees, H heads, G heads of keys and values,
# D numbers a head.

_WRITTEN_OUT_UP_TO = {torch.bfloat16: 1024, torch.float32: 320}  # tokens of an example; docs/benchmarks.md
_NOT_KNOWN = {"softcap": "caps its attention scores", "s_aux": "has attention sinks", "position_bias": "adds a bias"}


def shared_prefix_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    segments: Segments | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """What transformers calls in every layer.

    Args:
        module: the layer's attention.
        query: (1, H, T, D)
        key: (1, G, P + T, D)
        value: (1, G, P + T, D)
        attention_mask: read only where there are no segments; it is then `sdpa`'s.
        scaling: of the scores; 1 / sqrt(D) where it is not given.
        dropout: of the attention weights.
        segments: what the row holds.
        **kwargs: what some families add.

    Returns:
        (1, T, H, D), and no weights.

    Raises:
        ModelError: the row is not what `segments` says, or the family does what cannot be done by examples.
    """
    if segments is None:
        out: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
        return out
    _require_possible(query, segments, kwargs)
    query, key, value = _autocast(query, key, value)
    prefix = key.shape[2] - query.shape[2]
    if query.device.type != "cpu":
        mask = segments.block_mask(prefix, query.device)
        mixed, _ = flex_attention_forward(module, query, key, value, mask, scaling=scaling, dropout=dropout)
        return mixed, None
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return _by_example(query[0], key[0], value[0], segments, prefix, scale, dropout), None


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _by_example(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    segments: Segments,
    prefix: int,
    scale: float,
    dropout: float,
) -> torch.Tensor:
    """(1, T, H, D). `split` and `cat`, since the gradient of a slice is as large as the whole row."""
    front, own = [prefix], segments.lengths
    front_key, *keys = torch.split(key, front + own, dim=1)
    front_value, *values = torch.split(value, front + own, dim=1)
    mixed = []
    for index, (q, k, v) in enumerate(zip(torch.split(query, own, dim=1), keys, values, strict=True)):
        if prefix:
            k, v = torch.cat((front_key, k), dim=1), torch.cat((front_value, v), dim=1)
        if k.shape[1] <= _WRITTEN_OUT_UP_TO.get(q.dtype, 0) and not dropout:
            out = written_out(q, k, v, segments.bias(index, prefix, q.dtype, q.device), scale)
        else:
            out = _fused(q, k, v, segments, index, scale, dropout)
        mixed.append(out.transpose(0, 1))
    return torch.cat(mixed)[None]


def _fused(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    segments: Segments,
    index: int,
    scale: float,
    dropout: float,
) -> torch.Tensor:
    """One example by torch's fused kernel: (H, L, D).

    In two calls, where the first needs no mask: what lies in front is either causal or sees itself both ways.
    """
    bounds = segments.examples[index]
    prefix = key.shape[1] - query.shape[1]
    head = _without_mask(bounds, prefix)
    causal = not bounds.two_way
    seen = segments.seen(index, prefix, query.device)
    first, rest = torch.split(query, [head, bounds.length - head], dim=1)
    parts = []
    if head:
        seen_keys = prefix + head
        parts.append(_sdpa(first, key[:, :seen_keys], value[:, :seen_keys], None, causal, scale, dropout))
    if head < bounds.length:
        parts.append(_sdpa(rest, key, value, seen[head:], False, scale, dropout))
    return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]


def _without_mask(bounds: Bounds, prefix: int) -> int:
    """How many of an example's first tokens a call without a mask can do."""
    if bounds.two_way:
        return bounds.two_way
    if prefix:  # causal after something that everything sees: torch has no word for it
        return 0
    return bounds.length if len(bounds.outputs) < 2 else bounds.context


def _sdpa(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    is_causal: bool,
    scale: float,
    dropout: float,
) -> torch.Tensor:
    grouped = query.shape[0] != key.shape[0]
    return F.scaled_dot_product_attention(
        query[None], key[None], value[None], mask, dropout, is_causal, scale=scale, enable_gqa=grouped
    )[0]


def _autocast(*states: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """In the dtype of matrix products, as torch's own attention does it; rotated states may have left it."""
    kind = states[0].device.type
    if not torch.is_autocast_enabled(kind):
        return states
    dtype = torch.get_autocast_dtype(kind)
    return tuple(state.to(dtype) for state in states)


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _require_possible(query: torch.Tensor, segments: Segments, kwargs: dict[str, Any]) -> None:
    if query.shape[0] != 1 or query.shape[2] != segments.num_tokens:
        raise ModelError(
            f"segments name {segments.num_tokens} tokens in one row; the call has {query.shape[0]} of {query.shape[2]}",
            hint="Give the whole packed row, without a cache.",
        )
    does = [told for name, told in _NOT_KNOWN.items() if kwargs.get(name) is not None]
    window = kwargs.get("sliding_window")
    longest = max(bounds.context + max(bounds.outputs, default=0) for bounds in segments.examples)
    if window is not None and longest > window:
        does.append(f"sees only {window} tokens back, and a sequence has {longest}")
    if does:
        raise ModelError(f"this model {' and '.join(does)}: it cannot be packed", hint="Set training.packing to none.")
