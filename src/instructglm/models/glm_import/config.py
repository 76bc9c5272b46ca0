"""The official config of ChatGLM2, ChatGLM3 and GLM-4, and the `GlmConfig` that computes the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from transformers import GlmConfig

from instructglm.core.errors import ModelError
from instructglm.models.config_file import PACKED, UNPACKED, packed_fault
from instructglm.models.families import VERSION_FIELD, Family, family_of

BASE_THETA = 10_000.0
ROTATED_PART = 0.5  # of each head
SIZES = {
    "padded_vocab_size": "vocab_size",
    "hidden_size": "hidden_size",
    "ffn_hidden_size": "intermediate_size",
    "num_layers": "num_hidden_layers",
    "num_attention_heads": "num_attention_heads",
    "multi_query_group_num": "num_key_value_heads",
    "kv_channels": "head_dim",
}  # official field: ours
VARIANTS = {
    "multi_query_attention": True,
    "rmsnorm": True,
    "post_layer_norm": True,
    "original_rope": True,
    "add_bias_linear": False,
    "apply_residual_connection_post_layernorm": False,
    "interleaved_qkv": False,
    "fp32_residual_connection": False,
    "prefix_projection": False,
}  # official field: the only value that GlmForCausalLM computes
_WHERE_ABSENT = {**VARIANTS, "multi_query_attention": False}  # what the official code takes
_NOUGHT = {
    "pre_seq_len": "prefix tuning of this family goes through PEFT",
    "hidden_dropout": "there is no dropout between the layers",
    "vision_config": "only the language models of the family are known here",
}  # official field: why it has to be absent, null or 0
_EOS, _PAD = 2, 0  # ids, where the config names none (ChatGLM2 names no pad)


def glm_config_of(config: Mapping[str, Any], folder: Path | None = None) -> GlmConfig:
    """What transformers has to be told to compute this model.

    Args:
        config: The content of a config.json with the fields of ChatGLM2 and later.
        folder: Where it lies; more signs of the generation are looked for there.

    Raises:
        ModelError: `GlmForCausalLM` cannot be this model; names every field that stands against it.
    """
    family = family_of(config, folder)
    faults = [*_wrong_sizes(config), *_unfit_sizes(config), *_wrong_variants(config), *_wrong_numbers(config)]
    if faults:
        where = f"{folder}/config.json: " if folder else "config.json: "
        raise ModelError(
            *(where + fault for fault in faults),
            hint="Such a model cannot be computed as a GlmForCausalLM. Compare its config.json with the official one.",
        )
    return GlmConfig(
        **{ours: config[official] for official, ours in SIZES.items()},
        rms_norm_eps=config.get("layernorm_epsilon", 1e-5),
        attention_bias=config.get("add_qkv_bias", False),
        attention_dropout=config.get("attention_dropout", 0.0),
        max_position_embeddings=config.get("seq_length", 2048),
        rope_parameters=_rope_parameters(family, config.get("rope_ratio", 1)),
        tie_word_embeddings=False,
        eos_token_id=config.get("eos_token_id", _EOS),
        pad_token_id=config.get("pad_token_id", _PAD),
        use_cache=config.get("use_cache", True),
        dtype=config.get("torch_dtype") or config.get("dtype"),
        **{VERSION_FIELD: family},
    )


def _rope_parameters(family: Family, ratio: float) -> dict[str, Any]:
    """ChatGLM2-32k divides the positions by `rope_ratio`; ChatGLM3-32k and GLM-4 multiply the base by it."""
    shared = {"partial_rotary_factor": ROTATED_PART}
    if family == "chatglm2" and ratio != 1:
        return shared | {"rope_type": "linear", "factor": float(ratio), "rope_theta": BASE_THETA}
    return shared | {"rope_type": "default", "rope_theta": BASE_THETA * ratio}


def _wrong_sizes(config: Mapping[str, Any]) -> Iterator[str]:
    for field in SIZES:
        if not _is_count(config.get(field)):
            found = f"is {config[field]!r}" if field in config else "is missing"
            yield f"{field} {found}; expected a positive whole number"


def _unfit_sizes(config: Mapping[str, Any]) -> Iterator[str]:
    heads, groups, channels = map(config.get, ("num_attention_heads", "multi_query_group_num", "kv_channels"))
    if _is_count(heads) and _is_count(groups) and heads % groups:
        yield f"num_attention_heads {heads} is no multiple of multi_query_group_num {groups}"
    if _is_count(channels) and channels % 4:
        yield f"kv_channels is {channels}; half of a head is rotated in pairs, so expected a multiple of 4"


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _wrong_variants(config: Mapping[str, Any]) -> Iterator[str]:
    for field, expected in VARIANTS.items():
        found = config.get(field, _WHERE_ABSENT[field])
        if found is not expected:
            yield f"{field} is {_json(found)}{'' if field in config else ' where absent'}; expected {_json(expected)}"
    if config.get(PACKED):
        yield f"{packed_fault(config[PACKED])}. {UNPACKED}"
    for field, why in _NOUGHT.items():
        if config.get(field):
            shown = config[field] if isinstance(config[field], int | float) else "given"
            yield f"{field} is {shown}: {why}"


def _wrong_numbers(config: Mapping[str, Any]) -> Iterator[str]:
    for field in ("rope_ratio", "layernorm_epsilon", "seq_length"):
        value = config.get(field, 1)
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            yield f"{field} is {value!r}; expected a number above 0"
    for field in ("add_qkv_bias", "use_cache"):
        if not isinstance(config.get(field, True), bool):
            yield f"{field} is {config[field]!r}; expected true or false"


def _json(flag: object) -> str:
    return str(flag).lower() if isinstance(flag, bool) else repr(flag)
