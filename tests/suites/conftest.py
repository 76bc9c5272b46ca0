"""The marks that transformers puts on its tests; ours are in pyproject.toml."""

from __future__ import annotations

import pytest

_THEIR_MARKS = (
    "accelerate_tests",
    "flash_attn_test",
    "flash_attn_3_test",
    "flash_attn_4_test",
    "flex_attention_test",
    "generate",
    "torch_compile_test",
    "torch_export_test",
)


def pytest_configure(config: pytest.Config) -> None:
    for mark in _THEIR_MARKS:
        config.addinivalue_line("markers", f"{mark}: set by transformers' own test suites")
