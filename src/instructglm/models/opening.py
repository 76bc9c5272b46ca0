"""A model folder of each family as a network, with every weight in its place."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig, GlmForCausalLM, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from instructglm.core.errors import ModelError
from instructglm.models.chatglm.configuration import ChatGLMConfig
from instructglm.models.chatglm.modeling import ChatGLMForCausalLM
from instructglm.models.config_file import LOAD_PREFIX
from instructglm.models.families import GLM_LAYOUTS, VERSION_FIELD, Family
from instructglm.models.glm_import import glm_config_of, read_official_layout
from instructglm.models.glm_import.layout import UNUSED, official_shapes
from instructglm.models.guard import guard
from instructglm.models.weight_files import check_report, check_shapes, shapes_of, weight_files

_Settings: TypeAlias = dict[str, Any]
_PREFIX = "transformer.prefix_encoder."
_HEAD, _EMBEDDING = "lm_head.weight", "transformer.word_embeddings.weight"
_STOPS = ("bos_token_id", "eos_token_id", "pad_token_id")
_GLM = "glm"  # how the types of transformers' own GLM models begin


def open_model(family: Family, folder: Path, config: Mapping[str, Any], settings: Mapping[str, Any]) -> PreTrainedModel:
    """The network of a folder, on the way to `load`.

    Args:
        family: What `family_of` said.
        folder: Holds the weights.
        config: The content of its config.json.
        settings: What `from_pretrained` is to be told (dtype, device_map, ...).

    Raises:
        ModelError: the config or the weights do not make such a network; whatever transformers raises.
    """
    model = _OPENERS[family](folder, config, dict(settings))
    if getattr(model.config, VERSION_FIELD, None):
        # The official embedding also learns its row of the pad id, which is the one of `<unk>`.
        model.get_input_embeddings().padding_idx = None
    model.generation_config = _neutral(model)
    return guard(model) if family in GLM_LAYOUTS or model.config.model_type.startswith(_GLM) else model


def outline_model(
    family: Family, folder: Path, config: Mapping[str, Any], attention: str | None, dtype: torch.dtype
) -> PreTrainedModel:
    """The network that `open_model` would make of a folder, on the meta device: no file of weights is looked at.

    Args:
        family: What `family_of` said.
        folder: Holds config.json.
        config: Its content.
        attention: `attn_implementation`; None leaves the choice to transformers.
        dtype: Of the weights.

    Raises:
        ModelError: the config does not make such a network; whatever transformers raises.
    """
    own = _CONFIGS[family](folder, config)
    with torch.device("meta"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(
            own, dtype=dtype, attn_implementation=attention, trust_remote_code=False
        )
    return model


def _chatglm_config(folder: Path, config: Mapping[str, Any]) -> ChatGLMConfig:
    try:
        own: ChatGLMConfig = ChatGLMConfig.from_dict(dict(config))
    except ModelError as error:
        raise ModelError(*(f"{folder}/config.json: {fault}" for fault in error.faults), hint=error.hint) from error
    return own


def _glm_config(folder: Path, config: Mapping[str, Any]) -> Any:
    return glm_config_of(config, folder)


def _other_config(folder: Path, config: Mapping[str, Any]) -> Any:
    _require_known(folder, config)
    return AutoConfig.from_pretrained(folder, trust_remote_code=False)


_CONFIGS: dict[Family, Callable[[Path, Mapping[str, Any]], Any]] = {
    "chatglm": _chatglm_config,
    "chatglm2": _glm_config,
    "chatglm3": _glm_config,
    "glm4_remote": _glm_config,
    "other": _other_config,
}


def _open_chatglm(folder: Path, config: Mapping[str, Any], settings: _Settings) -> PreTrainedModel:
    found = shapes_of(weight_files(folder))
    if found and all(name.startswith(_PREFIX) for name in found):
        raise ModelError(f"{folder}: only a prefix of P-Tuning v2, and no model", hint=LOAD_PREFIX)
    own = _chatglm_config(folder, config)
    model, report = _read(ChatGLMForCausalLM, folder, settings | {"config": own})
    _require_exact(folder, report)
    if own.tie_word_embeddings and found.keys() >= {_HEAD, _EMBEDDING} and _has_own_head(model):
        _keep_own_head(model, folder)
    return model


def _has_own_head(model: PreTrainedModel) -> bool:
    """Whether the head was left apart from the embeddings, because its numbers are others."""
    head, embedding = model.get_output_embeddings().weight, model.get_input_embeddings().weight
    return head is not embedding and not head.is_meta  # what was left on the disk has no identity


def _keep_own_head(model: PreTrainedModel, folder: Path) -> None:
    """Let the model say of itself what its weights are, so that it is saved and read as it is now."""
    model.config.tie_word_embeddings = False
    model.all_tied_weights_keys = {}
    warnings.warn(
        f"{folder}: {_HEAD} differs from {_EMBEDDING}; both are kept. The official code takes the embeddings for both "
        "and would answer otherwise; in every published checkpoint the two are equal.",
        stacklevel=4,
    )


def _open_glm(folder: Path, config: Mapping[str, Any], settings: _Settings) -> PreTrainedModel:
    own = glm_config_of(config, folder)
    found = shapes_of(weight_files(folder))
    found.pop(UNUSED, None)
    check_shapes(found, official_shapes(own), folder)
    read_official_layout()
    model, report = _read(GlmForCausalLM, folder, settings | {"config": own})
    _require_exact(folder, report | {"unexpected_keys": set()})
    return model


def _open_other(folder: Path, config: Mapping[str, Any], settings: _Settings) -> PreTrainedModel:
    _require_known(folder, config)
    shapes_of(weight_files(folder))
    model, report = _read(AutoModelForCausalLM, folder, settings)
    _require_exact(folder, report | {"unexpected_keys": set()})
    left_out = sorted(report["unexpected_keys"])
    if left_out:
        told = f"{folder}: left out, since {type(model).__name__} has no place for them: {', '.join(left_out[:3])}"
        warnings.warn(told + (" ..." if len(left_out) > 3 else ""), stacklevel=3)
    return model


_OPENERS: dict[Family, Callable[[Path, Mapping[str, Any], _Settings], PreTrainedModel]] = {
    "chatglm": _open_chatglm,
    "chatglm2": _open_glm,
    "chatglm3": _open_glm,
    "glm4_remote": _open_glm,
    "other": _open_other,
}


def _read(kind: Any, folder: Path, settings: _Settings) -> tuple[PreTrainedModel, dict[str, Any]]:
    """The model and what did not fit, which is told by our own words instead of being drawn at random."""
    model, report = kind.from_pretrained(
        folder, **settings, trust_remote_code=False, output_loading_info=True, ignore_mismatched_sizes=True
    )
    return model, report


def _require_exact(folder: Path, report: Mapping[str, Any]) -> None:
    check_report(
        folder,
        missing=set(report["missing_keys"]),
        misshapen=[(name, tuple(found), tuple(expected)) for name, found, expected in report["mismatched_keys"]],
        unexpected=set(report["unexpected_keys"]),
    )


def _require_known(folder: Path, config: Mapping[str, Any]) -> None:
    kind = config["model_type"]
    if kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return
    fault = f"{folder}/config.json: model_type is {kind!r}, "
    fault += "which is no causal language model" if kind in CONFIG_MAPPING_NAMES else "which transformers does not know"
    if "auto_map" in config:
        fault += "; the model brings code of its own (auto_map), and such code is never run here"
    raise ModelError(fault, hint="Take a model whose type transformers knows, or a newer transformers.")


def _neutral(model: PreTrainedModel) -> GenerationConfig:
    """Only the token ids of what a model ships: penalties and the like would make its greedy answers something else.

    What it does not ship, its config says, also where config.json leaves it to the defaults of the family.
    """
    ids = {field: getattr(model.generation_config, field) for field in _STOPS}
    missing = [field for field, token in ids.items() if token is None]
    return GenerationConfig(**ids | {field: _default_id(model.config, field) for field in missing})


def _default_id(config: Any, field: str) -> int | list[int] | None:
    """A token id of the config, unless it is a default that was meant for a larger vocabulary."""
    token = getattr(config, field, None)
    ids = token if isinstance(token, list) else [token]
    return token if all(one is not None and 0 <= one < config.vocab_size for one in ids) else None
