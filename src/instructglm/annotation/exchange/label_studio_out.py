"""Writing Label Studio's JSON: every output is an item of the list `items`, every question has a name of its own.

A rating by `quality` of the second output is asked as `quality_output_2` of
`output_2`. Ranks without ties are an order; others are buckets named by rank.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from instructglm.annotation.exchange.entries import Entry, GivenAnswer, Said
from instructglm.annotation.exchange.format import Leaving
from instructglm.annotation.exchange.layout import as_json, data_of, key, origin_of

_MAIL = "annotators.invalid"  # a domain that can never be (RFC 2606): the tool asks for an address
_ALL = "items"  # what a question about the item as a whole is asked of


def write(leaving: Leaving) -> Iterator[bytes]:
    """An array of tasks, one a line."""
    tasks, annotations, people = count(1), count(1), dict[str, int]()
    separator = b"[\n"
    for entry in leaving.entries:
        _tell(leaving, entry)
        held = [_annotation(entry, answer, next(annotations), people) for answer in entry.answers]
        task = {"id": next(tasks), "data": _data(entry), "annotations": held, "predictions": []}
        yield separator + as_json(task).encode()
        separator = b",\n"
    yield b"[]\n" if separator == b"[\n" else b"\n]\n"


def _tell(leaving: Leaving, entry: Entry) -> None:
    left_out = leaving.account.left_out
    left_out["numbers of rounds"] += len(entry.answers) + sum(output.round is not None for output in entry.outputs)
    left_out["versions of guidelines"] += sum(answer.guideline is not None for answer in entry.answers)


def _data(entry: Entry) -> dict[str, Any]:
    items = [
        {"id": key(place), "title": "", "body": output.text, **origin_of(output)}
        for place, output in enumerate(entry.outputs)
    ]
    return {**data_of(entry), "items": items}


def _annotation(entry: Entry, answer: GivenAnswer, number: int, people: dict[str, int]) -> dict[str, Any]:
    at = None if answer.at_ms is None else datetime.fromtimestamp(answer.at_ms / 1000, UTC).isoformat()
    unique = f"{entry.place}:{answer.person}:{answer.round}"
    return {
        "id": number,
        "unique_id": str(uuid5(NAMESPACE_OID, unique)),
        "completed_by": _person(answer.person, people),
        "was_cancelled": answer.said.skip is not None,
        "ground_truth": False,
        "created_at": at,
        "updated_at": at,
        "lead_time": answer.took_ms / 1000,
        "result": [
            {
                "id": f"{number}-{place}",
                "from_name": name,
                "to_name": of,
                "type": kind,
                "value": {kind_key(kind): value},
            }
            for place, (name, of, kind, value) in enumerate(_results(entry, answer.said), start=1)
        ],
    }


def _person(name: str, people: dict[str, int]) -> dict[str, Any]:
    number = people.setdefault(name, len(people) + 1)
    local = name if re.fullmatch(r"[a-z0-9-]{1,60}", name) else f"person-{number}"
    return {"id": number, "email": f"{local}@{_MAIL}", "first_name": name, "last_name": ""}


def kind_key(kind: str) -> str:
    """Under which name a type of result holds its value."""
    return "text" if kind == "textarea" else kind


def _results(entry: Entry, said: Said) -> Iterator[tuple[str, str, str, Any]]:
    """Question, what it is asked of, type and value of all that is said."""
    if said.written:
        yield "answer", _ALL, "textarea", [entry.outputs[place].text for place in said.written]
    for place in said.edits:
        source = key(entry.outputs[place].edited_from or 0)
        yield f"edit_{source}", source, "textarea", [entry.outputs[place].text]
    for rating in said.ratings:
        of = key(rating.output)
        yield f"{rating.criterion}_{of}", of, "rating", rating.value
    if said.ranks:
        yield "rank", _ALL, "ranker", _ranker(said)
    if said.label is not None:
        yield "label", _ALL, "choices", [said.label]
    for rejection in said.rejected:
        of = _ALL if rejection.output is None else key(rejection.output)
        yield ("reject" if of == _ALL else f"reject_{of}"), of, "textarea", [rejection.reason]
    texts = {"flag": said.flag, "comment": said.comment, "skip": said.skip or None}
    yield from ((name, _ALL, "textarea", [text]) for name, text in texts.items() if text is not None)


def _ranker(said: Said) -> dict[str, list[str]]:
    ordered = sorted(said.ranks, key=lambda one: (one.rank, one.output))
    if [one.rank for one in ordered] == [*range(1, len(ordered) + 1)]:
        return {"rank": [key(one.output) for one in ordered]}
    buckets: dict[str, list[str]] = {}
    for one in ordered:
        buckets.setdefault(str(one.rank), []).append(key(one.output))
    return buckets
