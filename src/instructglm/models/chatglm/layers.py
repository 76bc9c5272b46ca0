"""The layers of ChatGLM-6B (first generation), under their official parameter names."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import Cache
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from instructglm.models.chatglm.configuration import ChatGLMConfig

# Shapes: B rows, S tokens, T tokens seen (prefix and cache included), H heads, D numbers a head, E hidden size.


def inverse_frequencies(config: ChatGLMConfig) -> list[float]:
    """The rotary frequencies of half a head, rounded to float16 as the official code does: D/4 numbers.

    The weights were trained with the rounded ones: exact frequencies turn position 2047 by up to 0.32 rad.
    """
    steps = torch.arange(0, config.head_dim // 2, 2, dtype=torch.float32, device="cpu")
    frequencies: list[float] = (1.0 / config.rope_theta ** (steps / (config.head_dim // 2))).half().tolist()
    return frequencies


def rotation(
    position_rows: torch.Tensor, frequencies: list[float], dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines for both halves of a head: (B, 1, S, 2, D/2) each.

    Angles are computed in float32 whatever the model's dtype is: in bfloat16
    a position past 256 would already be another one.
    """
    rows = position_rows.transpose(1, 2).float()  # (B, S, 2)
    angles = rows.unsqueeze(-1) * torch.tensor(frequencies, device=rows.device)  # (B, S, 2, D/4)
    angles = torch.cat((angles, angles), dim=-1).unsqueeze(1)
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate(states: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor) -> torch.Tensor:
    """The first half of every head turned by the first row of positions, the second by the second: (B, H, S, D)."""
    halves = states.view(*states.shape[:-1], 2, -1)  # (B, H, S, 2, D/2)
    left, right = halves.chunk(2, dim=-1)
    turned = halves * cosines + torch.cat((-right, left), dim=-1) * sines
    return turned.flatten(-2)


def eager_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention written out, with its weights; the mask is added to the scores, or True where a key is seen."""
    scores = (query * scaling) @ key.transpose(2, 3)  # (B, H, S, T); scaled first, or float16 overflows
    if attention_mask is not None and attention_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attention_mask, torch.finfo(scores.dtype).min)
    elif attention_mask is not None:
        scores = scores + attention_mask
    weights = scores.softmax(dim=-1, dtype=torch.float32).to(query.dtype)
    weights = nn.functional.dropout(weights, p=dropout, training=module.training)
    return (weights @ value).transpose(1, 2).contiguous(), weights


class ChatGLMAttention(nn.Module):
    """Multi-head attention whose one projection holds query, key and value of each head together."""

    is_causal = True
    num_key_value_groups = 1

    def __init__(self, config: ChatGLMConfig, layer_idx: int) -> None:
        super().__init__()
        self.config = config
        self.layer_idx = layer_idx
        self.head_dim = config.head_dim
        self.scaling = config.head_dim**-0.5
        self.query_key_value = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(
        self,
        hidden_states: torch.Tensor,
        prefix: torch.Tensor | None,
        rotations: tuple[torch.Tensor, torch.Tensor],
        attention_mask: Any,
        past_key_values: Cache | None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        heads = self.query_key_value(hidden_states).unflatten(-1, (-1, 3 * self.head_dim)).transpose(1, 2)
        query, key, value = heads.chunk(3, dim=-1)  # (B, H, S, D) each
        query, key = rotate(query, *rotations), rotate(key, *rotations)
        if past_key_values is not None:
            key, value = past_key_values.update(key, value, self.layer_idx)
        if prefix is not None:  # in front of the cache, never in it: no cache has to know of it
            key, value = torch.cat((prefix[0], key), dim=2), torch.cat((prefix[1], value), dim=2)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(self.config._attn_implementation, eager_attention)
        mixed, weights = attend(
            self, query, key, value, attention_mask, dropout=0.0, scaling=self.scaling, **kwargs
        )  # (B, S, H, D)
        return self.dense(mixed.flatten(2)), weights


class ChatGLMMLP(nn.Module):
    """Two linear layers with the tanh form of GELU between them."""

    def __init__(self, config: ChatGLMConfig) -> None:
        super().__init__()
        self.dense_h_to_4h = nn.Linear(config.hidden_size, config.inner_hidden_size)
        self.dense_4h_to_h = nn.Linear(config.inner_hidden_size, config.hidden_size)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        inner = nn.functional.gelu(self.dense_h_to_4h(hidden_states), approximate="tanh")
        out: torch.Tensor = self.dense_4h_to_h(inner)
        return out


class ChatGLMBlock(GradientCheckpointingLayer):
    """Attention and MLP, each added to `residual_alpha` times its own layer-normed input (not to the raw stream)."""

    def __init__(self, config: ChatGLMConfig, layer_idx: int) -> None:
        super().__init__()
        self.alpha = config.residual_alpha
        self.input_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layernorm_epsilon)
        self.attention = ChatGLMAttention(config, layer_idx)
        self.post_attention_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layernorm_epsilon)
        self.mlp = ChatGLMMLP(config)

    def forward(self, hidden_states: torch.Tensor, prefix: torch.Tensor | None = None, **kwargs: Any) -> torch.Tensor:
        """`prefix` (2, B, H, N, D) is positional, because a checkpointed layer only sends gradients to those."""
        normed = self.input_layernorm(hidden_states)  # (B, S, E)
        mixed, _ = self.attention(normed, prefix, **kwargs)
        normed = self.post_attention_layernorm(self.alpha * normed + mixed)
        out: torch.Tensor = self.alpha * normed + self.mlp(normed)
        return out
