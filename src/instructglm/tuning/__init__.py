"""Which weights move, on any model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from instructglm.tuning.adapters import adapter_off, load_adapter, start_reading
from instructglm.tuning.base import note_base, require_base
from instructglm.tuning.freeze import apply_freeze, decoder_layers
from instructglm.tuning.full import apply_full
from instructglm.tuning.loading_dtype import loading_dtype
from instructglm.tuning.lora import apply_lora
from instructglm.tuning.method import TunedModel
from instructglm.tuning.prefix import apply_prefix

METHODS: dict[str, Callable[..., Any]] = {
    "full": apply_full,
    "freeze": apply_freeze,
    "lora": apply_lora,
    "prefix": apply_prefix,
}

__all__ = [
    "METHODS",
    "TunedModel",
    "adapter_off",
    "decoder_layers",
    "load_adapter",
    "loading_dtype",
    "note_base",
    "require_base",
    "start_reading",
]
