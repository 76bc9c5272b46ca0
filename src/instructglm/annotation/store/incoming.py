"""What an imported record may hold, and what is wrong with one."""

from __future__ import annotations

import json
from typing import Any, Self

from pydantic import Field, JsonValue, ValidationError, field_validator, model_validator

from instructglm.core.records import Fault, Message, Record

_SHOWN = 60  # characters of what was found


class NewOutput(Record):
    """An answer to store; with the name of the `model` that drafted it, it is a draft."""

    text: str = Field(min_length=1)
    model: str = ""


class NewInstruction(Record):
    """An instruction to store: either `messages`, or `instruction` and the `input` it is about."""

    instruction: str = ""
    input: str = ""
    messages: tuple[Message, ...] = ()
    outputs: tuple[NewOutput, ...] = ()
    task: str = ""
    domain: str = ""
    complexity: str = ""
    language: str = ""
    source: str = ""
    licence: str = ""
    choices: tuple[str, ...] = ()
    extra: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _one_output_is_a_list(cls, value: Any) -> Any:
        """Take `output`, as alpaca files have it, for a list of one, or of as many as there are."""
        if not isinstance(value, dict):
            return value
        given = _given(value)
        if "output" not in given or "outputs" in given:
            return given
        one = given.pop("output")
        return {**given, "outputs": one if isinstance(one, list) else [one] if one != "" else []}

    @field_validator("outputs", mode="before")
    @classmethod
    def _texts_are_outputs(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return tuple({"text": one} if isinstance(one, str) else one for one in value)

    @field_validator("complexity", mode="before")
    @classmethod
    def _levels_are_names(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _one_prompt(self) -> Self:
        if bool(self.messages) == bool(self.instruction.strip()):
            raise ValueError("either instruction or messages")
        if self.messages and self.messages[-1].role != "user":
            raise ValueError("messages that end with the user's")
        if self.input and self.messages:
            raise ValueError("no input beside messages")
        return self

    def prompt(self) -> tuple[Message, ...]:
        if self.messages:
            return self.messages
        parts = (part for part in (self.instruction, self.input) if part)
        return (Message(role="user", content="\n\n".join(parts)),)


_IN_CELLS = ("messages", "outputs", "choices", "extra")  # fields that a table can only spell as JSON


def _given(value: dict[str, Any]) -> dict[str, Any]:
    """What a record says: null says nothing, nor does an empty cell; a list or an object may be spelled as JSON."""
    cells = {name: value[name] for name in _IN_CELLS if isinstance(value.get(name), str)}
    held = {**value, **{name: _decoded(cell) for name, cell in cells.items()}}
    return {name: one for name, one in held.items() if one is not None}


def _decoded(cell: str) -> Any:
    if not cell.strip():
        return None
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):  # told as what it is: a text where a list or an object is expected
        return cell


def read_record(place: str, value: Any) -> NewInstruction | list[Fault]:
    """The instruction that a decoded JSON value holds, or all that is wrong with it."""
    try:
        held = NewInstruction.model_validate(value)
        held.model_dump_json()
    except ValidationError as error:
        return faults_of(place, error)
    except ValueError:  # what is no UTF-8 is no JSON
        return [Fault(row=place, field="record", found="half a character (an unpaired surrogate)", expected="text")]
    return held


def faults_of(place: str, error: ValidationError) -> list[Fault]:
    """All that is wrong with a record, by field."""
    return [_fault(place, dict(one)) for one in error.errors(include_url=False, include_context=False)]


def _fault(place: str, error: dict[str, Any]) -> Fault:
    expected = str(error["msg"]).removeprefix("Value error, ")
    expected = "a known field" if error["type"] == "extra_forbidden" else expected
    found = "nothing" if error["type"] == "missing" else short(error["input"])
    return Fault(row=place, field=".".join(map(str, error["loc"])) or "record", found=found, expected=expected)


def short(value: Any) -> str:
    """A value as a message shows it: on one line, and not too long."""
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
