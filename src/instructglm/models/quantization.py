"""Weights in few bits while they are loaded, through bitsandbytes (QLoRA; Dettmers et al. 2023, arXiv:2305.14314)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from torch import nn
from transformers import BitsAndBytesConfig

from instructglm.config.model import Quantization
from instructglm.core.errors import ModelError

_DEVICES = ("cuda", "cpu")


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
