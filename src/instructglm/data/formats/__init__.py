"""The formats by name. A new one is one file here, one line below, and its name in `config.data.RowSource`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from instructglm.core.errors import DataError
from instructglm.core.lookup import nearest
from instructglm.data.formats import (
    alpaca,
    belle,
    messages,
    natural_instructions,
    self_instruct,
    sharegpt,
    snapshot,
    table,
)
from instructglm.data.formats.format import Format
from instructglm.data.records import name_list

__all__ = ["FORMATS", "Format", "detect", "require"]

# Tried in this order: a layout stands before the looser ones that its rows would also pass for.
FORMATS: dict[str, Format] = {
    "snapshot": snapshot.FORMAT,
    "natural_instructions": natural_instructions.FORMAT,
    "self_instruct": self_instruct.FORMAT,
    "sharegpt": sharegpt.FORMAT,
    "messages": messages.FORMAT,
    "alpaca": alpaca.FORMAT,
    "belle": belle.FORMAT,
    "table": table.FORMAT,
}


def detect(values: Sequence[Mapping[str, Any]], shown: str) -> str:
    """The name of the format that most of these rows are in; one that half of them are in will do.

    Raises:
        DataError: there is none; lists the keys found and what each format needs.
    """
    votes = Counter(filter(None, map(_format_of, values))).most_common(2)
    tie = len(votes) == 2 and votes[0][1] == votes[1][1]
    if not votes or tie or votes[0][1] * 2 < len(values):
        raise DataError(*_unknown_layout(values, shown), hint=_next_move(values))
    return votes[0][0]


def require(name: str, values: Sequence[Mapping[str, Any]], shown: str) -> None:
    """Check that at least one of these rows is in the format that the experiment file names.

    Raises:
        DataError: none is; one message instead of one for each row.
    """
    if not any(FORMATS[name].looks_like(value) for value in values):
        needs = ", ".join(FORMATS[name].keys)
        raise DataError(
            f"{shown}: the rows have the keys {_keys(values)}; the {name} format needs {needs}", hint=_next_move(values)
        )


def _format_of(value: Mapping[str, Any]) -> str | None:
    return next((name for name, known in FORMATS.items() if known.looks_like(value)), None)


def _keys(values: Sequence[Mapping[str, Any]]) -> str:
    counts = Counter(key for value in values for key in value)
    return name_list([key for key, _ in counts.most_common()]) or "none"


def _unknown_layout(values: Sequence[Mapping[str, Any]], shown: str) -> list[str]:
    needs = [f"  {known.name} needs {', '.join(known.keys)}" for known in FORMATS.values()]
    return [f"{shown}: no known layout: the rows have the keys {_keys(values)}", *needs]


def _next_move(values: Sequence[Mapping[str, Any]]) -> str:
    keys = {key for value in values for key in value}
    known = {"instruction", "input", "output", "outputs", "target", "conversations", "messages", "prompt", "completion"}
    slips = [(key, nearest(key.lower(), known) or "") for key in sorted(keys - known)]
    if guesses := [f"{key!r} may be meant for {close!r}" for key, close in slips if abs(len(key) - len(close)) < 3]:
        return f"{'; '.join(guesses)}. Or name the columns with prompt_column and output_column."
    if any(len(key) > 40 or "\n" in key for key in keys):
        return "If the first line is data, put a header line such as prompt,output before it."
    return "Name the columns with prompt_column and output_column, or rename the keys. (Is there a header line?)"
