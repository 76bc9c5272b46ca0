"""OpenAI: `messages`, a list of {role, content}; the content may be written as parts of type text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from instructglm.config.data import RowSource
from instructglm.data.formats.dialogue import read_dialogue
from instructglm.data.formats.format import Format, Result
from instructglm.data.formats.turns import Layout
from instructglm.data.records import Row

_LAYOUT = Layout(
    role_key="role",
    text_key="content",
    roles={"system": "system", "developer": "system", "user": "user", "assistant": "assistant"},
)


def _looks_like(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("messages"), list)


def read(row: Row, source: RowSource, task: str) -> Iterator[Result]:
    """One example a conversation; see `read_dialogue`."""
    return read_dialogue(row, source, task, "messages", _LAYOUT)


FORMAT = Format("messages", ("messages",), _looks_like, read)
