"""Our own examples as JSON, one a line: written and read back equal.

Those that `annotate snapshot` froze are held to the manifest beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from instructglm.annotation.snapshot.manifest import frozen_origin
from instructglm.config.data import RowSource
from instructglm.core.records import Example, Fault, example_id, prompt_hash
from instructglm.data.formats.format import Format, Result
from instructglm.data.prompts import framed
from instructglm.data.records import EmptyRow, Row, describe


def _looks_like(value: Mapping[str, Any]) -> bool:
    return {"id", "task", "messages", "outputs", "group"} <= value.keys()


def read(row: Row, source: RowSource, task: str) -> Iterator[Result]:
    """The example that was written, with its own task, group and place of origin."""
    try:
        example = Example.model_validate(row.value)
    except ValidationError as error:
        yield from _faults(row, error)
        return
    if not example.messages or not example.messages[-1].content.strip():
        yield EmptyRow(row.place, "messages")
    elif not any(output.text.strip() for output in example.outputs):
        yield EmptyRow(row.place, "outputs")
    else:
        yield _as_source_wants(example, source)


def _faults(row: Row, error: ValidationError) -> Iterator[Fault]:
    for fault in error.errors():
        field = ".".join(map(str, fault["loc"]))
        missing = fault["type"] == "missing"
        found = "nothing" if missing else describe(fault["input"])
        yield Fault(row=row.place, field=field, found=found, expected=fault["msg"])


def _as_source_wants(example: Example, source: RowSource) -> Example:
    """The example itself, unless the source names another task, an instruction or a system message."""
    if not (source.task or source.instruction or source.system):
        return example
    task = source.task or example.task
    messages = framed(example.messages, source.instruction, source.system)
    by_prompt = example.group == prompt_hash(example.messages)
    group = prompt_hash(messages) if by_prompt else example.group
    update = {"id": example_id(task, messages), "task": task, "messages": messages, "group": group}
    return example.model_copy(update=update)


FORMAT = Format("snapshot", ("id", "task", "messages", "outputs", "group"), _looks_like, read, frozen_origin)
