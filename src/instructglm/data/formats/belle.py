"""BELLE and pCLUE: input and target, with the choices of that very question where it has any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from instructglm.config.data import RowSource
from instructglm.core.records import Message
from instructglm.data.formats.fields import Fields
from instructglm.data.formats.format import Format, Result
from instructglm.data.records import Row

UNLISTED_ANSWER = "answer_not_among_choices"
"""Metadata key of a row whose target is none of its `answer_choices`."""


def _looks_like(value: Mapping[str, Any]) -> bool:
    return "input" in value and "target" in value and "instruction" not in value


def read(row: Row, source: RowSource, task: str) -> Iterator[Result]:
    """One example a row, with its own closed set of choices where the row lists them.

    Where the target is none of them (pCLUE has such rows) the question is read
    as an open one, and its metadata say so.
    """
    fields = Fields(row)
    prompt = Message(role="user", content=fields.text("input"))
    outputs = fields.outputs("target")
    listed = tuple(dict.fromkeys(fields.texts("answer_choices")))
    unlisted = bool(listed) and any(output.text not in listed for output in outputs)
    return fields.result(
        source,
        task,
        [prompt],
        outputs,
        prompt_field="input",
        output_field="target",
        choices=() if unlisted else listed,
        metadata={UNLISTED_ANSWER: True} if unlisted else {},
    )


FORMAT = Format("belle", ("input", "target"), _looks_like, read)
