"""Argilla's records as its version 2.8 writes them with `to_json`; those of version 1 are read too.

A record does not say of what type its questions are; their values do, and of
texts whether they repeat: a question whose short answers are few is one of choice.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from instructglm.annotation.exchange.argilla_out import write
from instructglm.annotation.exchange.entries import GivenOutput, Read
from instructglm.annotation.exchange.format import Format, Rows
from instructglm.annotation.exchange.hearing import LABEL, Hearing, Sheet, settled
from instructglm.annotation.exchange.layout import laid
from instructglm.annotation.store.incoming import faults_of, short
from instructglm.annotation.store.tables import Origin
from instructglm.core.records import Fault

_UNKNOWN = "unknown annotator"
_LONGEST_CHOICE = 50  # characters
_WRITTEN = re.compile(r"answer(_\d+)?|comment|flag|reject|(edit|reject)_.+")
"""Our own questions of text."""


class _Lax(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Value(_Lax):
    """A response of version 2: one person's answer to one question."""

    value: Any
    user_id: str | None = None
    status: str | None = None


class _Named(_Lax):
    value: Any


class _Response(_Lax):
    """A response of version 1: one person's answers to all questions."""

    values: dict[str, _Named] | None = None
    user_id: str | None = None
    status: str | None = None


class _Suggestion(_Lax):
    value: Any
    question_name: str = ""
    agent: str | None = None


class _Record(_Lax):
    fields: dict[str, Any]
    metadata: dict[str, Any] = Field(default_factory=dict)
    responses: dict[str, list[_Value]] | list[_Response] = Field(default_factory=list)
    suggestions: dict[str, _Suggestion] | list[_Suggestion] = Field(default_factory=list)
    vectors: dict[str, Any] = Field(default_factory=dict)

    @field_validator("metadata", "responses", "suggestions", "vectors", mode="before")
    @classmethod
    def _none_is_empty(cls, value: Any) -> Any:
        return {} if value is None else value

    def by_user(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The values of every person by question; with the status of what they gave."""
        users: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
        if isinstance(self.responses, list):
            for response in self.responses:
                held = {name: one.value for name, one in (response.values or {}).items()}
                users[response.user_id or _UNKNOWN, response.status or "submitted"] |= held
            return users
        for question, given in self.responses.items():
            for one in given:
                users[one.user_id or _UNKNOWN, one.status or "submitted"][question] = one.value
        return users

    def suggested(self) -> list[_Suggestion]:
        if isinstance(self.suggestions, list):
            return self.suggestions
        return [one.model_copy(update={"question_name": name}) for name, one in self.suggestions.items()]


def _looks_like(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("fields"), dict)


def read(rows: Rows) -> Iterator[Read]:
    """The records of a file; they are held until its end, which tells what its questions are."""
    records = []
    for row in rows:
        found = [row] if isinstance(row, Fault) else _read(*row)
        if isinstance(found, list):
            yield from found
        else:
            records.append(found)
    choices = _questions_of_choice([record for _, record in records])
    for sheet, record in records:
        _hear(sheet, record, choices)
    yield from settled([sheet for sheet, _ in records])


def _read(place: str, value: Any) -> tuple[Sheet, _Record] | list[Fault]:
    try:
        record = _Record.model_validate(value)
        json.dumps(value, ensure_ascii=False).encode()
    except ValidationError as error:
        return faults_of(place, error)
    except ValueError:
        return [Fault(row=place, field="record", found="half a character (an unpaired surrogate)", expected="text")]
    parts = laid(place, "fields", _with_metadata(record))
    return parts if isinstance(parts, list) else (Sheet(place, parts), record)


def _with_metadata(record: _Record) -> dict[str, Any]:
    """The fields, with what our own exports put beside them: what is known of the prompt, and of every output."""
    known = {name: _decoded(name, value) for name, value in record.metadata.items()}
    outputs = known.pop("outputs", None)
    fields = dict(record.fields)
    if isinstance(outputs, list) and all(isinstance(one, dict) and one.get("id") in fields for one in outputs):
        fields["outputs"] = [{**one, "body": fields.pop(one["id"])} for one in outputs]
    return {**known, **fields}


def _decoded(name: str, value: Any) -> Any:
    if name not in ("outputs", "extra", "choices") or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _questions_of_choice(records: list[_Record]) -> set[str]:
    """The questions whose texts are short and repeat; `label` is one, whatever its answers."""
    given: dict[str, list[str]] = defaultdict(list)
    for record in records:
        for values in record.by_user().values():
            for question, value in values.items():
                given[question] += [value] if isinstance(value, str) else []
    texts = {name: values for name, values in given.items() if not _WRITTEN.fullmatch(name)}
    return {LABEL} | {name for name, values in texts.items() if _repeat(values)}


def _repeat(values: list[str]) -> bool:
    short_ = all(len(value) <= _LONGEST_CHOICE and value.isprintable() for value in values)
    return short_ and len(set(values)) * 2 <= len(values)


def _hear(sheet: Sheet, record: _Record, choices: set[str]) -> None:
    for name in record.vectors:
        sheet.leave(f"vectors.{name}", "a vector")
    for number, one in enumerate(record.suggested()):
        _suggested(sheet, f"suggestions.{one.question_name or number}", one, choices)
    for (user, status), values in record.by_user().items():
        if status == "draft":
            sheet.leave(f"responses of {user}", "a draft, which nobody has submitted")
            continue
        hearing = sheet.hear(user, f"responses of {user}")
        if status == "discarded":
            hearing.said["skip"] = ""
        for question, value in values.items():
            _value(hearing, question, value, choices)


def _suggested(sheet: Sheet, where: str, one: _Suggestion, choices: set[str]) -> None:
    """A text that a model wrote is an output; what it judged is not a person's judgement."""
    if isinstance(one.value, str) and one.value and one.agent and one.question_name not in choices:
        sheet.outputs.append(GivenOutput(one.value, Origin.MODEL, one.agent))
    else:
        sheet.leave(where, f"a suggestion: {short(one.value)}")


def _value(hearing: Hearing, question: str, value: Any, choices: set[str]) -> None:
    if value is None:
        return
    if isinstance(value, str):
        hear = hearing.choice if question in choices else hearing.text
        hear(question, question, value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        hearing.rating(question, question, value)
    elif isinstance(value, list) and value and all(isinstance(one, Mapping) and "rank" in one for one in value):
        hearing.ranking(question, [(one.get("value"), one["rank"]) for one in value])
    elif isinstance(value, list) and value and all(one in hearing.sheet.keys for one in value):
        hearing.ranking(question, [(one, rank) for rank, one in enumerate(value, start=1)])
    elif isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        hearing.leave(question, f"{len(value)} spans of a text")
    else:
        hearing.choice(question, question, value)


FORMAT = Format(
    "argilla",
    "fields (an object), and responses and suggestions",
    "application/json",
    ".json",
    _looks_like,
    read,
    write,
)
