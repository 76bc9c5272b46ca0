"""What reading a file hands on, before and beside examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it stands in its file. `place` is `file:line`, `file[index]`, or the file that is one object."""

    place: str
    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EmptyRow:
    """A sound row with nothing to learn in `field`: a blank prompt or output, or one of several (`outputs[2]`)."""

    row: str
    field: str


def describe(value: Any) -> str:
    """A value of a row in a few words, for a message.

    >>> describe(None), describe(True), describe(3.5), describe(["a", "b"])
    ('null', 'true', 'the number 3.5', 'a list of 2')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, dict):
        return f"an object with {name_list(value) or 'no keys'}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return f'"{shorten(str(value))}"'


def shorten(text: str, width: int = 60) -> str:
    """The text in one line, cut with an ellipsis where it is longer than `width` characters."""
    flat = " ".join(text[: 4 * width].split())
    return flat if len(flat) <= width and len(text) <= 4 * width else f"{flat[: width - 1]}…"


def name_list(names: Any, limit: int = 12) -> str:
    """Names for a message, the first `limit` of them.

    >>> name_list(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    shown = [shorten(str(name), 40) for name in names]
    return ", ".join(shown[:limit]) + (f" and {len(shown) - limit} more" if len(shown) > limit else "")
