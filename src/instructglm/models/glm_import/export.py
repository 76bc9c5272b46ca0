"""A `GlmForCausalLM` written in the official ChatGLM layout, for engines that read that one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import GlmConfig, GlmForCausalLM

from instructglm.core.errors import ModelError
from instructglm.core.files import write_text
from instructglm.models.families import VERSION_FIELD
from instructglm.models.glm_import.config import BASE_THETA, ROTATED_PART, SIZES, VARIANTS
from instructglm.models.glm_import.layout import FUSED, OFFICIAL_NAMES, PARTS


def save_official(model: GlmForCausalLM, folder: str | Path, *, max_shard_size: int | str = "5GB") -> None:
    """Write the model with the official names of weights and fields (`save_pretrained` writes transformers' own).

    Raises:
        ModelError: the official layout has no words for this model; names every field that stands against it.
        StorageError: the folder cannot be written.
    """
    config = official_config(model.config)
    model.save_pretrained(folder, state_dict=official_weights(model.state_dict()), max_shard_size=max_shard_size)
    write_text(Path(folder) / "config.json", json.dumps(config, indent=2) + "\n")


def official_weights(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights under their official names: queries, keys and values in one."""
    first, *rest = PARTS
    official = {}
    for name, weight in weights.items():
        if first in name:
            fused = torch.cat([weights[name.replace(first, part)] for part in PARTS])
            official[_official_name(name.replace(first, FUSED))] = fused
        elif not any(part in name for part in rest):
            official[_official_name(name)] = weight
    return official


def _official_name(name: str) -> str:
    for theirs, ours in OFFICIAL_NAMES.items():
        if ours in name:
            name = name.replace(ours, theirs, 1)
    return name


def official_config(config: GlmConfig) -> dict[str, Any]:
    """The config.json of the official code for this model.

    Raises:
        ModelError: it has no words for it.
    """
    faults = _unsayable(config)
    if faults:
        raise ModelError(*faults, hint="Save it with save_pretrained, in transformers' own layout.")
    return {
        "model_type": "chatglm",
        "architectures": ["ChatGLMModel"],
        VERSION_FIELD: _version(config),
        **{official: getattr(config, ours) for official, ours in SIZES.items()},
        **VARIANTS,
        "layernorm_epsilon": config.rms_norm_eps,
        "add_qkv_bias": config.attention_bias,
        "attention_dropout": config.attention_dropout,
        "hidden_dropout": 0.0,
        "seq_length": config.max_position_embeddings,
        "rope_ratio": _rope_ratio(config.rope_parameters),
        "tie_word_embeddings": False,
        "eos_token_id": config.eos_token_id,
        "pad_token_id": config.pad_token_id,
        "use_cache": config.use_cache,
        "torch_dtype": str(config.dtype or "float32").removeprefix("torch."),
    }


def _unsayable(config: GlmConfig) -> list[str]:
    rope = config.rope_parameters
    checks = {
        "model_type": (config.model_type, "glm"),
        "hidden_act": (config.hidden_act, "silu"),
        "tie_word_embeddings": (bool(config.tie_word_embeddings), False),
        "rope_parameters.partial_rotary_factor": (rope.get("partial_rotary_factor"), ROTATED_PART),
    }
    faults = [
        f"{field} is {found!r}; the official layout means {expected!r}"
        for field, (found, expected) in checks.items()
        if found != expected
    ]
    if rope["rope_type"] not in {"default", "linear"}:
        faults.append(f"rope_parameters.rope_type is {rope['rope_type']!r}; the official layout has no such one")
    if rope["rope_type"] == "linear" and rope["rope_theta"] != BASE_THETA:
        faults.append(f"rope_parameters has a factor and rope_theta {rope['rope_theta']}; one ratio cannot say both")
    if rope["rope_type"] == "default" and rope["rope_theta"] != BASE_THETA and _version(config) == "chatglm2":
        faults.append(f"rope_theta is {rope['rope_theta']}; the ratio of a chatglm2 divides positions instead")
    return faults


def _version(config: GlmConfig) -> str:
    """The generation it came from; of another GLM, one that computes the same."""
    if config.rope_parameters["rope_type"] == "linear":
        return "chatglm2"
    return str(getattr(config, VERSION_FIELD, None) or "glm4_remote")


def _rope_ratio(rope: Mapping[str, Any]) -> float:
    ratio = rope["factor"] if rope["rope_type"] == "linear" else rope["rope_theta"] / BASE_THETA
    return int(ratio) if ratio == int(ratio) else float(ratio)
