"""What other tools' records hold, by the names of their fields: a prompt, outputs with keys, and the rest.

Their files say what was asked, not what for; the names are those that their
templates use. What no name tells is kept with the instruction, in `extra`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from instructglm.annotation.exchange.alpaca import prompt, told
from instructglm.annotation.exchange.entries import Entry, GivenOutput
from instructglm.annotation.store.incoming import NewInstruction, read_record, short
from instructglm.annotation.store.tables import Origin
from instructglm.core.records import Fault

_TURNS = ("messages", "dialogue", "chat", "conversation")
_PROMPTS = ("instruction", "prompt", "question", "query", "text")
_CONTEXTS = ("input", "context")
_LISTS = ("outputs", "items", "responses", "answers", "completions", "candidates")
_BODIES = ("body", "text", "content", "html", "title")
_OUTPUT = re.compile(
    r"(output|answer|response|completion|reply|candidate|generation)s?([-_ ]?\d{1,4}|[-_ ]\w)?", re.IGNORECASE
)
_NUMBER = re.compile(r"(?:[-_ ]([A-Za-z])|[-_ ]?(\d{1,4}))$")
_TOLD = ("task", "domain", "complexity", "language", "source", "licence", "choices", "extra")
_ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "developer": "system"}


@dataclass(frozen=True)
class Laid:
    """A record's instruction, and its outputs; answers name the first of them by `keys`, others come without one."""

    held: NewInstruction
    keys: list[str]
    outputs: list[GivenOutput]


def key(place: int) -> str:
    """The key of an output in what we write, by its place."""
    return f"output_{place + 1}"


def laid(place: str, field: str, data: Mapping[str, Any]) -> Laid | list[Fault]:
    """The parts of a record; faults where it holds no prompt, or one that cannot be."""
    record: dict[str, Any] = {}
    rest = dict(data)
    turns = next((name for name in _TURNS if isinstance(data.get(name), list)), None)
    text = next((name for name in _PROMPTS if isinstance(data.get(name), str) and data[name].strip()), None)
    if turns is not None:
        record["messages"] = [_turn(one) for one in rest.pop(turns)]
    elif text is not None:
        record["instruction"] = rest.pop(text)
        if context := next((name for name in _CONTEXTS if isinstance(data.get(name), str)), None):
            record["input"] = rest.pop(context)
    else:
        expected = f"a text under {', '.join(_PROMPTS)}, or a conversation under {', '.join(_TURNS)}"
        return [Fault(row=place, field=field, found=short(sorted(map(str, data))), expected=expected)]
    found = dict(_take_outputs(rest))
    record |= {name: rest.pop(name) for name in _TOLD if _fits(name, rest.get(name))}
    record["extra"] = {**record.get("extra", {}), **rest}
    held = read_record(place, record)
    if isinstance(held, list):
        return [fault.model_copy(update={"field": f"{field}.{fault.field}"}) for fault in held]
    return Laid(held, list(found), _with_origins(list(found), list(found.values())))


def _turn(one: Any) -> Any:
    """A message, also of tools that have `author` and `text`, or the names of ShareGPT."""
    if not isinstance(one, Mapping):
        return one
    role = one.get("role", one.get("author", one.get("from")))
    content = one.get("content", one.get("text", one.get("value")))
    return {"role": _ROLES.get(role, role) if isinstance(role, str) else role, "content": content}


def _fits(name: str, value: Any) -> bool:
    if name == "choices":
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return isinstance(value, dict if name == "extra" else str)


def _take_outputs(rest: dict[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The outputs in a record, with their keys, taken out of it: a list of them, or a field for each."""
    for name in [name for name in _LISTS if rest.get(name) == []]:
        rest.pop(name)
    for name in [name for name in _LISTS if _are_outputs(rest.get(name))]:
        for number, one in enumerate(rest.pop(name)):
            held = {"body": one} if isinstance(one, str) else one
            given = held.get("id")
            yield (str(given) if isinstance(given, str | int) else f"{name}_{number + 1}"), held
    for name in [name for name, value in rest.items() if _OUTPUT.fullmatch(name) and isinstance(value, str) and value]:
        yield name, {"body": rest.pop(name)}


def _are_outputs(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) or _body(one) for one in value)


def _body(held: Any) -> str:
    """The text of an output that is an object."""
    texts = (held.get(name) for name in _BODIES) if isinstance(held, Mapping) else ()
    return next((text for text in texts if isinstance(text, str) and text), "")


def _with_origins(keys: list[str], held: list[Mapping[str, Any]]) -> list[GivenOutput]:
    """Outputs with what our own exports say of where they come from."""
    outputs = []
    for place, one in enumerate(held):
        origin = one["origin"] if one.get("origin") in [*Origin] else None
        model, person, edited = (_text(one.get(name)) for name in ("model", "person", "edited_from"))
        before = keys.index(edited) if edited in keys[:place] else None
        outputs.append(GivenOutput(_body(one), origin, model, person or None, None, before))
    return outputs


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def data_of(entry: Entry) -> dict[str, Any]:
    """The prompt and all that is known of it."""
    return {**prompt(entry.held), **told(entry.held)}


def origin_of(output: GivenOutput) -> dict[str, str]:
    """What is said of where an output comes from, but for what says nothing."""
    edited = "" if output.edited_from is None else key(output.edited_from)
    held = {"origin": str(output.origin), "model": output.model, "person": output.person or "", "edited_from": edited}
    return {name: value for name, value in held.items() if value}


def target(keys: list[str], question: str, named: str = "") -> int | None:
    """The place of the output that a question is about, by its name or that of what it is asked of; None: not known."""
    for place, one in enumerate(keys):
        if named == one or question.endswith(f"_{one}"):
            return place
    for name in (named, question):
        number = _NUMBER.search(name)
        places = [place for place, one in enumerate(keys) if number and _same_number(one, number)]
        if len(places) == 1:
            return places[0]
    return 0 if len(keys) == 1 else None


def _same_number(one: str, number: re.Match[str]) -> bool:
    found = _NUMBER.search(one)
    return found is not None and found.groups() == number.groups()


def criterion(question: str, keys: list[str]) -> str:
    """A question's name without the output that it is about.

    >>> criterion("quality_output_2", ["output_1", "output_2"]), criterion("rating-1", ["response-1"])
    ('quality', 'rating')
    """
    for one in keys:
        if question.endswith(f"_{one}"):
            return question.removesuffix(f"_{one}")
    return _NUMBER.sub("", question) or question


def as_json(value: Any) -> str:
    """A value in one line."""
    return json.dumps(value, ensure_ascii=False)
