"""Which keys the experiment file knows, and which section a place in it belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import Tag

from instructglm.config.document import KeyPath
from instructglm.config.experiment import Experiment
from instructglm.config.section import Section

Branches = Mapping[str, type[Section]]
"""The sections that may stand at one place, under the names pydantic gives them."""


@dataclass(frozen=True)
class Place:
    """A location of pydantic's without its tags.

    `section` is the one whose key the path's last part is (None inside a plain
    mapping), `siblings` are its alternatives (itself among them), `inside` the
    sections that may stand at the place itself.
    """

    path: KeyPath
    section: type[Section] | None
    siblings: Branches
    inside: Branches


def locate(location: KeyPath, value: Any) -> Place:
    """Follow pydantic's location through the sections and through what the user wrote."""
    path: KeyPath = ()
    holder: type[Section] | None = None
    siblings: Branches = {}
    alternatives: Branches = {}
    inside: Branches = {"": Experiment}
    for part in location:
        if part and part in inside:  # a tag: which alternative pydantic followed
            alternatives, inside = inside, {"": inside[str(part)]}
            continue
        if isinstance(part, str):
            holder, siblings = (next(iter(inside.values())), alternatives) if len(inside) == 1 else (None, {})
            known = holder.model_fields.get(part) if holder else None
            if not known and not (isinstance(value, dict) and part in value):
                continue  # a tag such as `str` or `list[str]`
            alternatives = inside = branches(known) if known else {}
        path = (*path, part)
        value = _child(value, part)
    return Place(path, holder, siblings, inside)


def _child(value: Any, part: str | int) -> Any:
    try:
        return value[part]
    except (LookupError, TypeError):
        return None


def branches(field: Any) -> Branches:
    """The sections that a field may hold, directly or in a list."""
    return dict(_sections(field.annotation, None))


def _sections(annotation: Any, tag: str | None) -> Iterator[tuple[str, type[Section]]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield tag or annotation.__name__, annotation
        return
    tag = next((item.tag for item in getattr(annotation, "__metadata__", ()) if isinstance(item, Tag)), tag)
    for inner in get_args(annotation):
        yield from _sections(inner, tag)


def choosing_key(alternatives: Branches) -> str | None:
    """The key whose value says which alternative is meant: `method`, `format`."""
    shared = set.intersection(*(set(section.model_fields) for section in alternatives.values()))
    literal = [key for key in shared if all(words_of(section, key) for section in alternatives.values())]
    return literal[0] if len(alternatives) > 1 and len(literal) == 1 else None


def words_of(section: type[Section], key: str) -> tuple[str, ...]:
    """The fixed words that a key takes; empty where it is not such a key."""
    annotation = section.model_fields[key].annotation
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def all_keys() -> list[str]:
    """Every key that stands at one fixed place, dotted: `training.learning_rate`."""
    return list(dict.fromkeys(_keys(Experiment, "")))


def _keys(section: type[Section], prefix: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield prefix + name
        listed = "list[" in str(field.annotation)
        for inner in () if listed else branches(field).values():
            yield from _keys(inner, f"{prefix}{name}.")
