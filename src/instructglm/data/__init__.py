"""From raw rows to token ids.

    from instructglm.data import encode
    input_ids, labels, context_length = encode(example, tokenizer, max_length=1024)

What makes ids is imported when it is first asked for: reading rows needs none of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from instructglm.data.features import encode
    from instructglm.data.templates import Encoded

__all__ = ["Encoded", "encode"]
_HOMES = {"Encoded": "instructglm.data.templates", "encode": "instructglm.data.features"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
