"""Label Studio's JSON: tasks with data, annotations and predictions, as version 1.23 exports and imports them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from instructglm.annotation.exchange.entries import GivenOutput, Read
from instructglm.annotation.exchange.format import Format, Rows
from instructglm.annotation.exchange.hearing import Hearing, Sheet, settled
from instructglm.annotation.exchange.label_studio_out import write
from instructglm.annotation.exchange.layout import laid
from instructglm.annotation.store.incoming import faults_of, short
from instructglm.annotation.store.tables import Origin
from instructglm.core.records import Fault

_UNKNOWN = "unknown annotator"
_LONGEST_S = 1e9


class _Lax(BaseModel):
    """Strict about what is read, and blind to the rest."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Result(_Lax):
    type: str = ""
    from_name: str = ""
    to_name: str = ""
    value: dict[str, Any] = Field(default_factory=dict)

    @field_validator("to_name", mode="before")
    @classmethod
    def _several_are_none(cls, value: Any) -> Any:
        return ",".join(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else value


class _Person(_Lax):
    id: int | str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None

    @property
    def name(self) -> str:
        full = " ".join(part for part in (self.first_name, self.last_name) if part)
        return full or self.email or (_UNKNOWN if self.id is None else f"label-studio-{self.id}")


class _Annotation(_Lax):
    completed_by: Annotated[_Person | int | None, Field(union_mode="left_to_right")] = None
    result: list[_Result] = Field(default_factory=list)
    was_cancelled: bool = False
    ground_truth: bool = False
    created_at: datetime | None = None
    lead_time: float | None = Field(None, ge=0, le=_LONGEST_S, allow_inf_nan=False)

    @property
    def person(self) -> str:
        if isinstance(self.completed_by, int):
            return f"label-studio-{self.completed_by}"
        return _UNKNOWN if self.completed_by is None else self.completed_by.name

    @property
    def at_ms(self) -> int | None:
        if self.created_at is None:
            return None
        at = self.created_at if self.created_at.tzinfo else self.created_at.replace(tzinfo=UTC)
        return max(0, round(at.timestamp() * 1000))


class _Prediction(_Lax):
    model_version: str | None = None
    result: list[_Result] = Field(default_factory=list)


class _Task(_Lax):
    data: dict[str, Any]
    annotations: list[_Annotation] = Field(default_factory=list)
    predictions: list[_Prediction] = Field(default_factory=list)
    drafts: list[Any] = Field(default_factory=list)
    completions: Any = None  # what annotations were called before version 1.0
    meta: Any = None

    @field_validator("annotations", "predictions", "drafts", mode="before")
    @classmethod
    def _none_is_empty(cls, value: Any) -> Any:
        return [] if value is None else value


def _looks_like(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("data"), dict)


def read(rows: Rows) -> Iterator[Read]:
    """The tasks of a file; they are held until its end, which tells what its questions are."""
    records = []
    for row in rows:
        found = [row] if isinstance(row, Fault) else _read(*row)
        if isinstance(found, Sheet):
            records.append(found)
        else:
            yield from found
    yield from settled(records)


def _read(place: str, value: Any) -> Sheet | list[Fault]:
    try:
        task = _Task.model_validate(value)
        json.dumps(value, ensure_ascii=False).encode()
    except ValidationError as error:
        return faults_of(place, error)
    except ValueError:
        return [Fault(row=place, field="task", found="half a character (an unpaired surrogate)", expected="text")]
    parts = laid(place, "data", task.data)
    if isinstance(parts, list):
        return parts
    record = Sheet(place, parts)
    for number, draft in enumerate(task.predictions):
        _predicted(record, f"predictions.{number}", draft)
    ordered = sorted(enumerate(task.annotations), key=lambda one: (one[1].at_ms or 0, one[0]))
    for number, annotation in ordered:
        _heard(record, f"annotations.{number}", annotation)
    for number in range(len(task.drafts)):
        record.leave(f"drafts.{number}", "a draft, which nobody has submitted")
    for name, found in (("completions", task.completions), ("meta", task.meta)):
        if found:
            record.leave(name, short(found))
    return record


def _predicted(record: Sheet, where: str, draft: _Prediction) -> None:
    """A text that a model wrote is an output; what it judged is not a person's judgement."""
    for number, result in enumerate(draft.result):
        texts = result.value.get("text")
        given = [texts] if isinstance(texts, str) else texts
        if result.type == "textarea" and isinstance(given, list) and all(isinstance(one, str) and one for one in given):
            model = draft.model_version or _UNKNOWN.replace("annotator", "model")
            record.outputs.extend(GivenOutput(text, Origin.MODEL, model) for text in given)
        else:
            record.leave(f"{where}.result.{number}", f"a model's {result.type or 'result'}")


def _heard(record: Sheet, where: str, annotation: _Annotation) -> None:
    took_ms = round((annotation.lead_time or 0) * 1000)
    hearing = record.hear(annotation.person, where, at_ms=annotation.at_ms, took_ms=took_ms)
    if annotation.was_cancelled:
        hearing.said["skip"] = ""
    for number, result in enumerate(annotation.result):
        _result(hearing, f"result.{number}", result)
    if annotation.ground_truth:
        hearing.leave("ground_truth", "true; the answer was taken, but not as a known one")


def _result(hearing: Hearing, where: str, result: _Result) -> None:
    value, question = result.value, result.from_name
    if result.type == "choices" and "choices" in value and not {"start", "x"} & value.keys():
        hearing.choice(where, question, value["choices"])
    elif result.type in ("rating", "number") and result.type in value:
        hearing.rating(where, question, value[result.type], result.to_name)
    elif result.type == "textarea" and "text" in value and not {"start", "x"} & value.keys():
        if question == "skip" and "skip" in hearing.said:
            hearing.said.pop("skip")
        hearing.text(where, question, value["text"], result.to_name)
    elif result.type == "ranker" and "ranker" in value:
        _ranked(hearing, where, value["ranker"])
    elif result.type == "pairwise" and value.get("selected") in ("left", "right") and len(hearing.sheet.keys) == 2:
        better, worse = hearing.sheet.keys if value["selected"] == "left" else hearing.sheet.keys[::-1]
        hearing.ranking(where, [(better, 1), (worse, 2)])
    else:
        hearing.leave(where, f"{result.type or 'a result without a type'}, asked as {question!r}")


def _ranked(hearing: Hearing, where: str, value: Any) -> None:
    """An order of keys, alone or under the tag's name, or buckets whose names are ranks."""
    if isinstance(value, dict):
        buckets = {name: keys for name, keys in value.items() if name != "_"}
        if buckets and all(name.isdecimal() and isinstance(keys, list) for name, keys in buckets.items()):
            hearing.ranking(where, [(one, int(name[:9])) for name, keys in buckets.items() for one in keys])
            return
        value = next(iter(buckets.values())) if len(buckets) == 1 else value
    if isinstance(value, list):
        hearing.ranking(where, [(one, place) for place, one in enumerate(value, start=1)])
    else:
        hearing.leave(where, "items sorted into buckets that are no ranks")


FORMAT = Format(
    "label_studio",
    "data (an object), and annotations and predictions",
    "application/json",
    ".json",
    _looks_like,
    read,
    write,
)
