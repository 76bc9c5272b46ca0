"""Tables: one column holds the prompt, one the output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from instructglm.config.data import RowSource
from instructglm.core.records import Message
from instructglm.data.formats.fields import SPLITS, Fields
from instructglm.data.formats.format import Format, Result
from instructglm.data.prompts import user_text
from instructglm.data.records import Row

# the first that a row has is taken
PROMPT_COLUMNS = ("prompt", "question", "query", "instruction", "text", "sentence", "review", "input", "source")
OUTPUT_COLUMNS = (
    "completion", "response", "answer", "answers", "output", "outputs", "std_answer", "chosen", "label", "target",
)  # fmt: skip


def _looks_like(value: Mapping[str, Any]) -> bool:
    return _first(value, PROMPT_COLUMNS) is not None and _first(value, OUTPUT_COLUMNS) is not None


def read(row: Row, source: RowSource, task: str) -> Iterator[Result]:
    """One example a row.

    A column `split` is followed; columns `input` (beside an instruction) and
    `context` (dolly) come after the prompt.
    """
    fields = Fields(row)
    prompt_column = source.prompt_column or _first(row.value, PROMPT_COLUMNS) or "prompt"
    output_column = source.output_column or _first(row.value, OUTPUT_COLUMNS) or "completion"
    prompt = user_text(fields.text(prompt_column), _given(fields, prompt_column, row.value))
    split = fields.split("split") if _names_a_split(row.value) else None
    return fields.result(
        source,
        task,
        [Message(role="user", content=prompt)],
        fields.outputs(output_column),
        prompt_field=prompt_column,
        output_field=output_column,
        split=split,
    )


def _first(value: Mapping[str, Any], names: Sequence[str]) -> str | None:
    return next((name for name in names if name in value), None)


def _given(fields: Fields, prompt_column: str, value: Mapping[str, Any]) -> str:
    """What the prompt is about, from the columns that by custom hold it."""
    wanted = ("input", "context") if prompt_column == "instruction" else ("context",)
    found = [fields.optional_text(name) for name in wanted if name in value and name != prompt_column]
    return "\n\n".join(text for text in found if text.strip())


def _names_a_split(value: Mapping[str, Any]) -> bool:
    """Whether `split` holds a split's name; in other people's tables it may be about bananas."""
    return isinstance(value.get("split"), str) and value["split"].lower() in SPLITS


FORMAT = Format("table", ("a prompt column", "an output column"), _looks_like, read)
