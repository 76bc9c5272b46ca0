"""What an exchange format is: how to know its rows, how to read them, how to write entries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from instructglm.annotation.exchange.entries import Entry, GuidelineText, Read
from instructglm.core.records import Fault

Rows = Iterable[tuple[str, Any] | Fault]
"""Places (`tasks.json[3]`) with decoded values, or the faults of what could not be decoded."""


@dataclass
class Account:
    """What an export wrote, and by name and number what it did not. Whole once the last byte was taken."""

    num_instructions: int = 0
    num_outputs: int = 0
    num_answers: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """Withdrawn and gold things, and what the format has no place for."""

    def count(self, entry: Entry) -> None:
        self.num_instructions += 1
        self.num_outputs += len(entry.outputs)
        self.num_answers += len(entry.answers)


@dataclass(frozen=True)
class Leaving:
    """What a format writes: the entries in their order, and the guidelines that answers name."""

    project: str
    guidelines: tuple[GuidelineText, ...]
    entries: Iterable[Entry]
    account: Account


@dataclass(frozen=True, slots=True)
class Format:
    """One layout of files. `keys` say, for messages, what its rows have."""

    name: str
    keys: str
    media_type: str
    suffix: str
    looks_like: Callable[[Mapping[str, Any]], bool]
    read: Callable[[Rows], Iterator[Read]]
    write: Callable[[Leaving], Iterator[bytes]]
