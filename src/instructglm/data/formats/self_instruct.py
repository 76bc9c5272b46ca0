"""Self-Instruct seed tasks (Wang et al., 2023): an instruction with instances of input and output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from instructglm.config.data import RowSource
from instructglm.core.records import Fault, Message
from instructglm.data.formats.fields import Fields
from instructglm.data.formats.format import Format, Result
from instructglm.data.prompts import user_text
from instructglm.data.records import EmptyRow, Row, describe


def _looks_like(value: Mapping[str, Any]) -> bool:
    return "instruction" in value and "instances" in value


def read(row: Row, source: RowSource, task: str) -> Iterator[Result]:
    """One example an instance, named `file:line`, or `file:line[index]` where a row has several."""
    instances = row.value.get("instances")
    if not isinstance(instances, list):
        yield Fault(row=row.place, field="instances", found=describe(instances), expected="a list of objects")
        return
    if not instances:
        yield EmptyRow(row.place, "instances")
    shared = {key: value for key, value in row.value.items() if key != "instances"}
    for index, instance in enumerate(instances):
        place = row.place if len(instances) == 1 else f"{row.place}[{index}]"
        if isinstance(instance, dict):
            yield from _read_instance(Row(place, {**shared, **instance}), source, task)
        else:
            found = describe(instance)
            yield Fault(row=place, field="instances", found=found, expected="an object with input and output")


def _read_instance(row: Row, source: RowSource, task: str) -> Iterator[Result]:
    fields = Fields(row)
    prompt = user_text(fields.text("instruction"), fields.optional_text("input"))
    return fields.result(
        source,
        task,
        [Message(role="user", content=prompt)],
        fields.outputs("output"),
        prompt_field="instruction",
        output_field="output",
    )


FORMAT = Format("self_instruct", ("instruction", "instances"), _looks_like, read)
