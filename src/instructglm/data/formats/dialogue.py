"""A conversation as one example: what sharegpt and messages share."""

from __future__ import annotations

from collections.abc import Iterator

from instructglm.config.data import RowSource
from instructglm.core.records import Message
from instructglm.data.formats.fields import Fields
from instructglm.data.formats.format import Result
from instructglm.data.formats.turns import Layout, cut_before_last_answer, read_turns
from instructglm.data.records import Row


def read_dialogue(row: Row, source: RowSource, task: str, name: str, layout: Layout) -> Iterator[Result]:
    """The conversation up to its last answer, with that answer as output.

    Where the row has `outputs` of its own, the whole conversation is the
    prompt: that is how several answers to one conversation are written.
    Earlier answers are context; ChatGLM3 and GLM-4 train them too (`data/templates/roles.py`).
    """
    fields = Fields(row)
    turns = read_turns(fields, name, layout)
    system = fields.optional_text("system")
    if system.strip() and not any(turn.role == "system" for turn in turns):
        turns.insert(0, Message(role="system", content=system))
    if "outputs" in row.value:
        prompt, outputs, output_field = turns, fields.outputs("outputs"), "outputs"
        _must_end_with_user(fields, name, turns)
    else:
        prompt, outputs = cut_before_last_answer(fields, name, turns)
        output_field = name
    return fields.result(source, task, prompt, outputs, prompt_field=name, output_field=output_field)


def _must_end_with_user(fields: Fields, name: str, turns: list[Message]) -> None:
    if turns and turns[-1].role != "user":
        fields.fault_found(name, f"a last turn of {turns[-1].role}", "a turn of the user, which `outputs` answer")
