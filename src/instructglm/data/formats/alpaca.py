"""Alpaca: instruction, input, output; also with a list of outputs, a system text, and earlier turns in `history`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from instructglm.config.data import RowSource
from instructglm.core.records import Message
from instructglm.data.formats.fields import Fields
from instructglm.data.formats.format import Format, Result
from instructglm.data.prompts import user_text
from instructglm.data.records import Row


def _looks_like(value: Mapping[str, Any]) -> bool:
    return "instruction" in value and ("output" in value or "outputs" in value)


def read(row: Row, source: RowSource, task: str) -> Iterator[Result]:
    """One example a row."""
    fields = Fields(row)
    prompt = user_text(fields.text("instruction"), fields.optional_text("input"))
    output_field = "outputs" if "outputs" in row.value else "output"
    turns = [*_system(fields), *_history(fields), Message(role="user", content=prompt)]
    return fields.result(
        source, task, turns, fields.outputs(output_field), prompt_field="instruction", output_field=output_field
    )


def _system(fields: Fields) -> list[Message]:
    system = fields.optional_text("system")
    return [Message(role="system", content=system)] if system.strip() else []


def _history(fields: Fields) -> list[Message]:
    """Earlier turns, written as pairs of what the user and the assistant said."""
    value = fields.get("history")
    if value is None or value == "":
        return []
    pairs = value if isinstance(value, list) else [value]
    turns = []
    for index, pair in enumerate(pairs):
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            fields.fault(f"history[{index}]", pair, "a pair [user's text, assistant's text]")
            return []
        turns += [Message(role="user", content=pair[0]), Message(role="assistant", content=pair[1])]
    return turns


FORMAT = Format("alpaca", ("instruction", "output or outputs"), _looks_like, read)
