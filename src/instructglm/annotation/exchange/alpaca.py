"""Instructions with their outputs and nothing else: what `read_record` takes, and alpaca files have."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from instructglm.annotation.exchange.entries import Entry, Read
from instructglm.annotation.exchange.format import Format, Leaving, Rows
from instructglm.annotation.store.incoming import NewInstruction, read_record
from instructglm.core.records import Fault

_KEYS = frozenset({"instruction", "messages"})


def _looks_like(value: Mapping[str, Any]) -> bool:
    return not _KEYS.isdisjoint(value) and not isinstance(value.get("instruction"), dict)


def read(rows: Rows) -> Iterator[Read]:
    """One entry a row, its outputs in the record itself."""
    for row in rows:
        if isinstance(row, Fault):
            yield row
        elif isinstance(held := read_record(*row), NewInstruction):
            yield Entry(row[0], held)
        else:
            yield from held


def write(leaving: Leaving) -> Iterator[bytes]:
    """JSON lines: a single text of the user as `instruction`, anything longer as `messages`; all its outputs."""
    for entry in leaving.entries:
        leaving.account.left_out["answers"] += len(entry.answers)
        texts = list(dict.fromkeys(output.text for output in entry.outputs))
        record = {**prompt(entry.held), "output": texts[0] if len(texts) == 1 else texts, **told(entry.held)}
        yield json.dumps(record, ensure_ascii=False).encode() + b"\n"
        leaving.account.left_out["authors and models of outputs"] += sum(
            bool(output.person or output.model) for output in entry.outputs
        )
        leaving.account.left_out["second outputs of the same text"] += len(entry.outputs) - len(texts)


def prompt(held: NewInstruction) -> dict[str, Any]:
    """The prompt as one text where it is one, else as messages."""
    messages = held.prompt()
    alone = len(messages) == 1 and messages[0].content.strip()
    return {"instruction": messages[0].content} if alone else {"messages": [one.model_dump() for one in messages]}


def told(held: NewInstruction) -> dict[str, Any]:
    """All that is known of a prompt, but for what says nothing."""
    known = held.model_dump(mode="json", exclude={"instruction", "input", "messages", "outputs"})
    return {name: value for name, value in known.items() if value}


FORMAT = Format("alpaca", "instruction (a text) or messages", "application/jsonl", ".jsonl", _looks_like, read, write)
