"""Tiny checkpoints in the official layout of ChatGLM2, ChatGLM3 and GLM-4, of random weights and odd sizes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

Weights = dict[str, torch.Tensor]
CONFIG: dict[str, Any] = {
    "model_type": "chatglm",
    "num_layers": 3,
    "hidden_size": 44,
    "num_attention_heads": 6,
    "multi_query_attention": True,
    "multi_query_group_num": 3,
    "kv_channels": 12,
    "ffn_hidden_size": 50,
    "padded_vocab_size": 97,
    "seq_length": 256,
    "layernorm_epsilon": 1e-5,
    "rmsnorm": True,
    "post_layer_norm": True,
    "original_rope": True,
    "add_qkv_bias": True,
    "add_bias_linear": False,
    "apply_residual_connection_post_layernorm": False,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
    "eos_token_id": 2,
    "pad_token_id": 0,
}


def official_weights(config: dict[str, Any], seed: int = 0) -> Weights:
    """Random weights by their official names; norms and biases are random too, so that none can be left out."""
    draw = torch.Generator().manual_seed(seed)
    width, inner, vocabulary = config["hidden_size"], config["ffn_hidden_size"], config["padded_vocab_size"]
    queries = config["num_attention_heads"] * config["kv_channels"]
    fused = queries + 2 * config["multi_query_group_num"] * config["kv_channels"]

    def matrix(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=draw) / shape[-1] ** 0.5

    def scale(size: int) -> torch.Tensor:
        return 1 + 0.2 * torch.randn(size, generator=draw)

    weights = {"transformer.embedding.word_embeddings.weight": torch.randn(vocabulary, width, generator=draw)}
    for layer in range(config["num_layers"]):
        prefix = f"transformer.encoder.layers.{layer}."
        weights |= {
            prefix + "input_layernorm.weight": scale(width),
            prefix + "self_attention.query_key_value.weight": 2 * matrix(fused, width),
            prefix + "self_attention.query_key_value.bias": torch.randn(fused, generator=draw),
            prefix + "self_attention.dense.weight": matrix(width, queries),
            prefix + "post_attention_layernorm.weight": scale(width),
            prefix + "mlp.dense_h_to_4h.weight": matrix(2 * inner, width),
            prefix + "mlp.dense_4h_to_h.weight": matrix(width, inner),
        }
    weights["transformer.encoder.final_layernorm.weight"] = scale(width)
    weights["transformer.output_layer.weight"] = 3 * matrix(vocabulary, width)
    return weights


MakeCheckpoint = Callable[..., Path]


@pytest.fixture
def checkpoint(tmp_path: Path) -> MakeCheckpoint:
    """Makes a folder with config.json and model.safetensors in the official layout.

    Fields given by name stand in config.json; None takes one out.
    """
    from safetensors.torch import save_file

    def make(name: str = "official", **fields: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        config = {field: value for field, value in (CONFIG | fields).items() if value is not None}
        (folder / "config.json").write_text(json.dumps(config))
        unused = {"transformer.rotary_pos_emb.inv_freq": torch.ones(config["kv_channels"] // 4)}
        save_file(official_weights(CONFIG) | unused, folder / "model.safetensors")
        return folder

    return make
