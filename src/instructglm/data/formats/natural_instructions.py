"""Natural Instructions (Wang et al., 2022): one object a task, with a Definition and many Instances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import JsonValue

from instructglm.config.data import RowSource
from instructglm.core.records import Fault, Message
from instructglm.data.formats.fields import Fields
from instructglm.data.formats.format import Format, Result
from instructglm.data.prompts import user_text
from instructglm.data.records import EmptyRow, Row, describe


def _looks_like(value: Mapping[str, Any]) -> bool:
    return "Definition" in value and "Instances" in value


def read(row: Row, source: RowSource, task: str) -> Iterator[Result]:
    """One example an instance, named `file[index]`; its own `split`, where it has one, is kept."""
    definition, instances = _definition(row), row.value.get("Instances")
    if isinstance(definition, Fault):
        yield definition
    elif not isinstance(instances, list):
        yield Fault(row=row.place, field="Instances", found=describe(instances), expected="a list of objects")
    elif not instances:
        yield EmptyRow(row.place, "Instances")
    else:
        categories = _categories(row.value.get("Categories"))
        for index, instance in enumerate(instances):
            yield from _read_instance(f"{row.place}[{index}]", instance, definition, categories, source, task)


def _definition(row: Row) -> str | Fault:
    """The instruction; where a list gives several wordings, the first."""
    value = row.value.get("Definition")
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, str) and first.strip():
        return first
    return Fault(row=row.place, field="Definition", found=describe(value), expected="the task's instruction as text")


def _categories(value: Any) -> dict[str, JsonValue]:
    if isinstance(value, str):
        return {"categories": [value]}
    return {"categories": [str(item) for item in value]} if isinstance(value, list) and value else {}


def _read_instance(
    place: str, instance: Any, definition: str, categories: Mapping[str, JsonValue], source: RowSource, task: str
) -> Iterator[Result]:
    if not isinstance(instance, dict):
        yield Fault(row=place, field="instance", found=describe(instance), expected="an object with input and output")
        return
    fields = Fields(Row(place, instance))
    given = fields.text("input")
    prompt = user_text(definition, given) if given.strip() else ""
    yield from fields.result(
        source,
        task,
        [Message(role="user", content=prompt)],
        fields.outputs("output"),
        prompt_field="input",
        output_field="output",
        split=fields.split("split"),
        metadata=categories,
    )


FORMAT = Format("natural_instructions", ("Definition", "Instances"), _looks_like, read)
