"""Which weights move, on any model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from instructglm.tuning.freeze import apply_freeze
from instructglm.tuning.full import apply_full
from instructglm.tuning.lora import apply_lora
from instructglm.tuning.method import TunedModel

METHODS: dict[str, Callable[..., Any]] = {"full": apply_full, "freeze": apply_freeze, "lora": apply_lora}

__all__ = ["METHODS", "TunedModel"]
