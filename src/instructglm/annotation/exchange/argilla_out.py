"""Writing Argilla's records, as its `from_json` reads them: the questions are named as in `label_studio_out`.

A person has one answer to a record there, without its time, and a ranking has no
ties; people are UUIDs, made from their names. What that leaves out is counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from instructglm.annotation.exchange.entries import Entry, GivenAnswer, Said
from instructglm.annotation.exchange.format import Leaving
from instructglm.annotation.exchange.layout import as_json, data_of, key, origin_of

_FIELDS = ("instruction", "messages")
_PEOPLE = uuid5(NAMESPACE_OID, "instructglm annotators")


def user_id(name: str) -> str:
    """The UUID of somebody, the same in every export."""
    return str(uuid5(_PEOPLE, name))


def write(leaving: Leaving) -> Iterator[bytes]:
    """An array of records, one a line."""
    separator = b"[\n"
    for entry in leaving.entries:
        yield separator + as_json(_record(leaving, entry)).encode()
        separator = b",\n"
    yield b"[]\n" if separator == b"[\n" else b"\n]\n"


def _record(leaving: Leaving, entry: Entry) -> dict[str, Any]:
    known = data_of(entry)
    metadata = {name: value for name, value in known.items() if name not in _FIELDS}
    if "extra" in metadata:
        metadata["extra"] = as_json(metadata["extra"])
    if entry.outputs:
        metadata["outputs"] = as_json([_origin(entry, place) for place in range(len(entry.outputs))])
    return {
        "id": entry.place,
        "fields": {
            **{name: known[name] for name in _FIELDS if name in known},
            **{key(place): output.text for place, output in enumerate(entry.outputs)},
        },
        "metadata": metadata,
        "suggestions": {},
        "responses": _responses(leaving, entry),
        "vectors": {},
    }


def _origin(entry: Entry, place: int) -> dict[str, str]:
    origin = origin_of(entry.outputs[place])
    hidden = {"person": user_id(origin["person"])} if "person" in origin else {}
    return {"id": key(place), **origin, **hidden}


def _responses(leaving: Leaving, entry: Entry) -> dict[str, list[dict[str, Any]]]:
    left_out = leaving.account.left_out
    last: dict[str, GivenAnswer] = {}
    for answer in sorted(entry.answers, key=lambda one: one.round):
        left_out["earlier answers of the same person"] += answer.person in last
        last[answer.person] = answer
    responses: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for person, answer in last.items():
        left_out["times and rounds of answers"] += 1
        left_out["versions of guidelines"] += answer.guideline is not None
        left_out["skipped items"] += answer.said.skip is not None
        left_out["rankings with ties"] += bool(answer.said.ranks) and _order(answer.said) is None
        for question, value in _values(entry, answer.said):
            responses[question].append({"value": value, "user_id": user_id(person)})
    return responses


def _values(entry: Entry, said: Said) -> Iterator[tuple[str, Any]]:
    for number, place in enumerate(said.written, start=1):
        yield ("answer" if number == 1 else f"answer_{number}"), entry.outputs[place].text
    for place in said.edits:
        yield f"edit_{key(entry.outputs[place].edited_from or 0)}", entry.outputs[place].text
    for rating in said.ratings:
        yield f"{rating.criterion}_{key(rating.output)}", rating.value
    if (order := _order(said)) is not None:
        yield "ranking", order
    for rejection in said.rejected:
        yield ("reject" if rejection.output is None else f"reject_{key(rejection.output)}"), rejection.reason
    texts = {"label": said.label, "flag": said.flag, "comment": said.comment}
    yield from ((name, text) for name, text in texts.items() if text is not None)


def _order(said: Said) -> list[str] | None:
    """The keys of the outputs, best first; None where there is no order, or not one place for each."""
    ordered = sorted(said.ranks, key=lambda one: one.rank)
    ranks = [one.rank for one in ordered]
    return [key(one.output) for one in ordered] if ranks and ranks == [*range(1, len(ranks) + 1)] else None
