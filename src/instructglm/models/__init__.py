"""The networks, behind one door.

    from instructglm.models import load, load_tokenizer
    model, tokenizer = load("embedded")

Torch is imported when one of these is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from instructglm.models.loading import load, load_tokenizer

__all__ = ["load", "load_tokenizer"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("instructglm.models.loading"), name)
