"""What pydantic found wrong with an experiment, in plain words and with its place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from instructglm.config.aliases import advice, reason
from instructglm.config.document import Document, Fault
from instructglm.config.keys import Place, all_keys, choosing_key, locate, words_of
from instructglm.config.section import Section
from instructglm.core.lookup import nearest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
    "string_pattern_mismatch": "letters, digits, `_`, `.` and `-` only",
}
_NUMBERS = {"int_type", "float_type"}
_ONE_OF = "one of {}"


def faults(error: ValidationError, document: Document) -> list[Fault]:
    """One fault a place, in pydantic's order: alternatives that failed together are told together."""
    found = [(locate(details["loc"], document.value), details) for details in error.errors(include_url=False)]
    paths = {place.path for place, _ in found}
    kept = [(place, details) for place, details in found if not _shadowed(place, details, paths)]
    kept.sort(key=lambda pair: repr(pair[0].path))
    groups = (list(group) for _, group in groupby(kept, key=lambda pair: pair[0].path))
    return [_fault(group, document) for group in groups]


def _shadowed(place: Place, details: ErrorDetails, paths: Iterable[tuple[str | int, ...]]) -> bool:
    """Whether another alternative at this place came further, so that this one was not meant."""
    depth = len(place.path)
    is_alternative = details["type"].endswith("_type") or details["type"] == "literal_error"
    return is_alternative and any(len(path) > depth and path[:depth] == place.path for path in paths)


def _fault(group: Sequence[tuple[Place, ErrorDetails]], document: Document) -> Fault:
    place, details = group[0]
    path = place.path
    if details["type"] == "union_tag_invalid":
        path = (*path, choosing_key(place.inside) or "")
    return Fault(document.origin(path), path, _problem(group))


def _problem(group: Sequence[tuple[Place, ErrorDetails]]) -> str:
    place, details = group[0]
    match details["type"]:
        case "missing":
            return _missing(place)
        case "extra_forbidden":
            return _unknown_key(place)
        case "value_error":
            return details["msg"].removeprefix("Value error, ")
        case "union_tag_invalid":
            return _wrong_choice(details["input"], place)
    expected = " or ".join(dict.fromkeys(_expected(place, details) for place, details in group))
    problem = f"found {describe(details['input'])}; expected {expected}"
    return f"{problem}{_next_move(details, group)}"


def _missing(place: Place) -> str:
    last = place.path[-1]
    if isinstance(last, int):
        return f"entry {last + 1} of this list is missing"
    description = place.section.model_fields[last].description if place.section else None
    return f"missing: {' '.join(description.split())}" if description else "missing, and it has no default"


def _unknown_key(place: Place) -> str:
    key = str(place.path[-1])
    known = list(place.section.model_fields) if place.section else []
    if told := advice(key):
        return f"unknown key; {told}"
    if owners := [section for section in place.siblings.values() if key in section.model_fields]:
        return _goes_with(owners, place)
    if elsewhere := [dotted_key for dotted_key in all_keys() if dotted_key.split(".")[-1] == key]:
        named = [known if "." in known else f"{known} at the top of the file" for known in elsewhere]
        return f"unknown key here; did you mean {' or '.join(named)}?"
    if close := nearest(key, known):
        return f"unknown key; did you mean {close}?"
    return f"unknown key; known here: {', '.join(known)}"


def _goes_with(owners: Sequence[type[Section]], place: Place) -> str:
    choosing = choosing_key(place.siblings) or ""
    chosen = _first_words([place.section] if place.section else [], choosing)
    return f"this key goes with {choosing} {_first_words(owners, choosing)}, not with {chosen}"


def _first_words(sections: Sequence[type[Section]], key: str) -> str:
    words = [word for section in sections for word in words_of(section, key)]
    return ", ".join(words[:3] + ["..."] * (len(words) > 3))


def _wrong_choice(value: Any, place: Place) -> str:
    key = choosing_key(place.inside) or ""
    words = [word for section in place.inside.values() for word in words_of(section, key)]
    found = value.get(key) if isinstance(value, dict) else value
    return f"found {describe(found)}; expected {_ONE_OF.format(', '.join(words))}{_did_you_mean(found, words)}"


def _expected(place: Place, details: ErrorDetails) -> str:
    if details["type"] == "literal_error":
        return _ONE_OF.format(", ".join(_words(place, details)))
    context = {name: _plain(value) for name, value in details.get("ctx", {}).items()}
    known = _EXPECTED.get(details["type"])
    return known.format(**context) if known else details["msg"]


def _words(place: Place, details: ErrorDetails) -> list[str]:
    """The words a key takes, those of the section's alternatives included where the key chooses between them."""
    key = str(place.path[-1])
    if place.section and len(place.siblings) > 1 and choosing_key(place.siblings) == key:
        return [word for section in place.siblings.values() for word in words_of(section, key)]
    listed: str = details["ctx"]["expected"]
    return [word.strip("'") for word in listed.replace(" or ", ", ").split(", ")]


def _next_move(details: ErrorDetails, group: Sequence[tuple[Place, ErrorDetails]]) -> str:
    value, kinds = details["input"], {details["type"] for _, details in group}
    if "literal_error" in kinds and isinstance(value, str):
        if told := reason(str(group[0][0].path[-1]), value):
            return f"; {told}"
        return _did_you_mean(
            value, [word for place, one in group if one["type"] == "literal_error" for word in _words(place, one)]
        )
    if kinds & _NUMBERS and isinstance(value, str) and _is_number(value):
        return "; take the quotes away"
    if "string_type" in kinds and isinstance(value, bool | int | float | None):
        return "; put it in quotes to mean the text"
    return ""


def _did_you_mean(found: Any, words: Sequence[str]) -> str:
    close = nearest(str(found), words)
    return f"; did you mean {close}?" if close else ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def describe(value: Any) -> str:
    """A value as one would name it on the telephone: `the text "abc"`, `a list of 3`, `nothing`."""
    match value:
        case None:
            return "nothing"
        case str():
            shown = value if len(value) <= 60 else f"{value[:57]}..."
            return f"the text {json.dumps(shown, ensure_ascii=False)}"
        case list() | tuple():
            return f"a list of {len(value)}"
        case dict():
            return f"a mapping ({', '.join(list(value)[:4])})" if value else "an empty mapping"
    return json.dumps(value)
