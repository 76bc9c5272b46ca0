"""ShareGPT: `conversations`, a list of {from, value}."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from instructglm.config.data import RowSource
from instructglm.data.formats.dialogue import read_dialogue
from instructglm.data.formats.format import Format, Result
from instructglm.data.formats.turns import Layout
from instructglm.data.records import Row

_LAYOUT = Layout(
    role_key="from",
    text_key="value",
    roles={
        "human": "user",
        "user": "user",
        "gpt": "assistant",
        "assistant": "assistant",
        "system": "system",
        "chatgpt": "assistant",
        "bing": "assistant",
        "bard": "assistant",
        "model": "assistant",
    },
)


def _looks_like(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("conversations"), list)


def read(row: Row, source: RowSource, task: str) -> Iterator[Result]:
    """One example a conversation; see `read_dialogue`."""
    return read_dialogue(row, source, task, "conversations", _LAYOUT)


FORMAT = Format("sharegpt", ("conversations",), _looks_like, read)
