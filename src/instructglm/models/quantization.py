"""Weights in few bits while they are loaded, through bitsandbytes (QLoRA; Dettmers et al. 2023, arXiv:2305.14314)."""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn
from transformers import BitsAndBytesConfig, PreTrainedModel
from transformers.quantizers.base import HfQuantizer
from transformers.quantizers.quantizers_utils import should_convert_module

from instructglm.config.model import Quantization
from instructglm.core.errors import ModelError

_DEVICES = ("cuda", "cpu")
_BLOCK, _BLOCK_OF_SCALES = 64, 256  # that have a scale together


def loading_in_few_bits(settings: Quantization | None, dtype: torch.dtype, device: torch.device) -> dict[str, Any]:
    """What `load` is to be told so that linear layers come in few bits, all else in `dtype`, all on `device`.

    Training and evaluation have to say the same: weights that were rounded to
    another dtype first fall into other classes of 4 bits.

    Raises:
        ModelError: bitsandbytes is not installed, or has nothing for this device.
    """
    if settings is None:
        return {}
    require_bitsandbytes("model.quantization_config is set")
    if device.type not in _DEVICES:
        raise ModelError(
            f"model.quantization_config is set, and the device is {device.type}; quantized layers train on "
            f"{' and '.join(_DEVICES)}",
            hint="Set model.device to cpu, or take model.quantization_config away.",
        )
    config = BitsAndBytesConfig(**settings.model_dump(), bnb_4bit_compute_dtype=dtype)
    return {"dtype": dtype, "quantization_config": config, "device_map": {"": str(device)}}


def weights_in_few_bits(model: PreTrainedModel) -> list[torch.Tensor]:
    """Those of a model, loaded in full or on the meta device, that would be quantized if it were loaded so."""
    left_out = HfQuantizer.get_modules_to_not_convert(model, None, model._keep_in_fp32_modules)
    linear = {name: module for name, module in model.named_modules() if type(module) is nn.Linear}
    return [module.weight for name, module in linear.items() if should_convert_module(name, left_out)]


def bytes_in_few_bits(num_parameters: int, settings: Quantization) -> int:
    """Of a weight of so many parameters, with all that bitsandbytes keeps to have its numbers again.

    That is two parameters in a byte, a scale for each block of them, and the
    sixteen numbers of 4 bits; of scales that are quantized in their turn, a
    byte each, a scale for each block of those, their mean, and 256 numbers.
    """
    blocks = math.ceil(num_parameters / _BLOCK)
    scales = 4 * blocks
    if settings.bnb_4bit_use_double_quant:
        scales = blocks + 4 * math.ceil(blocks / _BLOCK_OF_SCALES) + 4 + 4 * 256
    return math.ceil(num_parameters / 2) + scales + 4 * 16


def require_bitsandbytes(setting: str) -> None:
    """Refuse a setting that needs bitsandbytes where it is not installed.

    Raises:
        ModelError: it is not.
    """
    if find_spec("bitsandbytes") is None:
        raise ModelError(
            f"{setting}, which needs bitsandbytes; it is not installed",
            hint="Run: pip install 'instructglm[bitsandbytes]'",
        )


def keep_trainable(model: nn.Module) -> None:
    """Let quantized layers keep the layout in which they have a gradient.

    In evaluation mode on processors with bfloat16, bitsandbytes repacks a
    4-bit layer for a kernel that has no backward pass: after the first
    validation nothing below the last layer would learn, and the logits would
    be others than those that are trained.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False  # type: ignore[assignment]
