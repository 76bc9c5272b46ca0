"""What a method adds beside a model: loaded again, switched off, and read with a cache."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from peft import PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import DynamicCache, PreTrainedModel

from instructglm.core.errors import ModelError
from instructglm.models.chatglm.modeling import ChatGLMForCausalLM
from instructglm.models.chatglm.prefix_files import load_prefix

_OF_PEFT, _WEIGHTS_OF_PEFT = "adapter_config.json", "adapter_model.safetensors"


def load_adapter(model: PreTrainedModel, folder: Path) -> nn.Module:
    """The model with the adapter that `TunedModel.save` left in `folder`, in evaluation mode.

    `model` itself may be changed by it; have it without the adapter through `adapter_off`.

    Raises:
        ModelError: the adapter is damaged, or was made for another model.
    """
    try:
        if (folder / _OF_PEFT).exists():
            return _of_peft(model, folder)  # type: ignore[no-any-return]
        load_prefix(model, folder)
        return model.eval()  # type: ignore[no-any-return]
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, SafetensorError) as error:
        raise _unfit(folder, _first_fault(error), *_bases(model, folder)) from error
    except ModelError as error:
        raise _unfit(folder, *error.faults, *_bases(model, folder)) from error


def _of_peft(model: PreTrainedModel, folder: Path) -> PeftModel:
    """PEFT takes a prefix of any depth for any model; it would be told later, by a crash or not at all."""
    adapted = PeftModel.from_pretrained(model, folder).eval()
    _require_all_used(adapted, folder)
    if not adapted.active_peft_config.is_prompt_learning:
        return adapted
    if isinstance(model, ChatGLMForCausalLM):
        raise ModelError("a prefix in the cache; ChatGLM-6B has its own inside")
    found, expected = adapted.active_peft_config.num_layers, model.config.num_hidden_layers
    if found != expected:
        raise ModelError(f"the prefix is for {found} layers, the model has {expected}")
    return adapted


def _require_all_used(adapted: PeftModel, folder: Path) -> None:
    """PEFT leaves out what finds no layer in this model, and only warns of what its layers do not find."""
    with safe_open(folder / _WEIGHTS_OF_PEFT, "pt") as file:
        found = set(file.keys())
    expected = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    for told, names in (("no layer for", found - expected), ("nothing for", expected - found)):
        if names:
            raise ModelError(f"{told} {min(names)}, and {len(names) - 1} more")


def _first_fault(error: Exception) -> str:
    """What does not fit, without the heading that torch puts above it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[1] if lines[0].startswith("Error(s) in loading") and len(lines) > 1 else lines[0]


def _bases(model: PreTrainedModel, folder: Path) -> list[str]:
    """The adapter's own base and this one, where the adapter says which was its own."""
    try:
        noted = json.loads((folder / _OF_PEFT).read_text("utf-8")).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError):
        return []
    return [f"it was trained on {noted}; the base is {model.name_or_path}"] if noted else []


def _unfit(folder: Path, first: str, *others: str) -> ModelError:
    return ModelError(
        f"{folder}: damaged, or made for another model: {first}",
        *others,
        hint=f"Remove the run's folder {folder.parent} and run again to train anew.",
    )


def adapter_off(model: Any) -> AbstractContextManager[None]:
    """Within the block, a model from `load_adapter` or in training computes as its base, to the bit."""
    off: AbstractContextManager[None]
    off = model.disable_adapter() if isinstance(model, PeftModel) else model.transformer.prefix_off()
    return off


def start_reading(model: Any, batch_size: int) -> tuple[Any, DynamicCache]:
    """What to call, in place of `model`, to read with a cache; and the cache to begin with, for `batch_size` rows.

    PEFT's prefix tuning begins with its prefix in the cache. A call of its own
    would put it there once more, so its base network is called, for which
    these are columns that stand, always seen, in front of every row.
    """
    if isinstance(model, PeftModel) and model.active_peft_config.is_prompt_learning:
        network = model.get_base_model()
        if model.has_active_enabled_adapter:
            return network, model.get_prompt(batch_size)
        return network, DynamicCache(config=network.config)
    return model, DynamicCache(config=model.config)
