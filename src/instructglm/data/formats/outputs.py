"""The values that stand for one output or several."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Protocol

from instructglm.core.records import Output

_KEYS = ("text", "weight", "rating", "annotator")


class FaultBook(Protocol):
    """Where faults are noted."""

    def fault(self, field: str, value: Any, expected: str) -> None: ...


def read_outputs(value: Any, name: str, book: FaultBook) -> Iterator[tuple[str, Output]]:
    """The outputs in a field, each with its own field name: `output`, or `outputs[2]` in a list."""
    if isinstance(value, list):
        if not value:
            return
        for index, item in enumerate(value):
            yield from _read_one(item, f"{name}[{index}]", book)
    else:
        yield from _read_one(value, name, book)


def _read_one(value: Any, field: str, book: FaultBook) -> Iterator[tuple[str, Output]]:
    if isinstance(value, str):
        yield field, Output(text=value)
    elif isinstance(value, dict):
        yield from _read_object(value, field, book)
    else:
        book.fault(field, value, "text")


def _read_object(value: dict[str, Any], field: str, book: FaultBook) -> Iterator[tuple[str, Output]]:
    unknown = [key for key in value if key not in _KEYS]
    if unknown or not isinstance(value.get("text"), str):
        book.fault(field, value, "an object with text and, if wished, weight or rating, and annotator")
        return
    weight = _weight(value, field, book)
    annotator = value.get("annotator")
    if annotator is not None and not isinstance(annotator, str):
        book.fault(f"{field}.annotator", annotator, "the annotator's name as text")
    elif weight is not None:
        yield field, Output(text=value["text"], weight=weight, annotator=annotator)


def _weight(value: dict[str, Any], field: str, book: FaultBook) -> float | None:
    """The weight, or the rating in its place; 1 where there is neither."""
    name = "weight" if value.get("weight") is not None else "rating"
    weight = value.get(name)
    if weight is None:
        return 1.0
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < math.inf:
        book.fault(f"{field}.{name}", weight, "a number above 0; leave out outputs that nobody accepts")
        return None
    return float(weight)
