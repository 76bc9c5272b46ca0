"""P-Tuning v2: trained keys and values in front of every layer's own (Liu et al. 2022, arXiv:2110.07602)."""

from __future__ import annotations

from copy import copy

import torch
from torch import nn

from instructglm.models.chatglm.configuration import ChatGLMConfig

# Shapes: B rows, N prefix tokens, H heads, D numbers a head, L layers, Q queries, K keys.


def config_with_prefix(config: ChatGLMConfig, num_tokens: int, projection: bool) -> ChatGLMConfig:
    """A copy of `config` that names a prefix of this shape."""
    changed = copy(config)
    changed.pre_seq_len, changed.prefix_projection = num_tokens, projection
    return changed


class PrefixEncoder(nn.Module):
    """The prefix of all layers from one table, which `prefix_projection` passes through two linear layers.

    Parameters have the official names: `embedding`, `trans.0`, `trans.2`.
    """

    def __init__(self, config: ChatGLMConfig) -> None:
        super().__init__()
        assert config.pre_seq_len is not None
        self.config = config
        width = 2 * config.num_layers * config.hidden_size
        table = config.hidden_size if config.prefix_projection else width
        self.embedding = nn.Embedding(config.pre_seq_len, table)
        if config.prefix_projection:
            self.trans = nn.Sequential(nn.Linear(table, config.hidden_size), nn.Tanh(), nn.Linear(table, width))
        self.dropout = nn.Dropout(config.prefix_dropout)

    def forward(self, batch_size: int, dtype: torch.dtype) -> torch.Tensor:
        """Keys and values, not rotated: (L, 2, B, H, N, D)."""
        table = self.embedding.weight
        flat = self.trans(table) if self.config.prefix_projection else table  # (N, L * 2 * H * D)
        shape = (len(flat), self.config.num_layers, 2, self.config.num_attention_heads, self.config.head_dim)
        pairs = flat.to(dtype).view(shape).permute(1, 2, 3, 0, 4).unsqueeze(2)  # (L, 2, 1, H, N, D)
        prefix: torch.Tensor = self.dropout(pairs.expand(-1, -1, batch_size, -1, -1, -1))
        return prefix
