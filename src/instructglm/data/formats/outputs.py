"""The values that stand for one output or several."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Protocol

from instructglm.annotation.aggregation import mean_rating
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
    ratings, weight, annotator = _ratings(value), value.get("weight"), value.get("annotator")
    numbers = {f"{field}.weight": weight} if weight is not None else {}
    numbers |= {f"{field}.{place}": rating for place, rating in ratings.items()}
    faulty = [place for place, number in numbers.items() if not _is_positive(number, place, book)]
    if annotator is not None and not isinstance(annotator, str):
        book.fault(f"{field}.annotator", annotator, "the annotator's name as text")
    elif not faulty:
        given = tuple(map(float, ratings.values()))
        weight = mean_rating(given or (1.0,)) if weight is None else float(weight)
        yield field, Output(text=value["text"], weight=weight, annotator=annotator, ratings=given)


def _ratings(value: dict[str, Any]) -> dict[str, Any]:
    """Place -> rating: `rating` is one, or a list where several people rated."""
    rating = value.get("rating")
    if isinstance(rating, list):
        return {f"rating[{index}]": one for index, one in enumerate(rating)}
    return {} if rating is None else {"rating": rating}


def _is_positive(number: Any, place: str, book: FaultBook) -> bool:
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < math.inf:
        book.fault(place, number, "a number above 0; leave out outputs that nobody accepts")
        return False
    return True
