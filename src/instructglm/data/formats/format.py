"""What a format is: how to recognise its rows and how to read one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from instructglm.config.data import RowSource
from instructglm.core.ledger import LedgerEntry
from instructglm.core.records import Example, Fault
from instructglm.data.records import EmptyRow, Row

Result = Example | Fault | EmptyRow | LedgerEntry


@dataclass(frozen=True, slots=True)
class Format:
    """One layout of rows. `keys` are those it needs, for messages."""

    name: str
    keys: tuple[str, ...]
    looks_like: Callable[[Mapping[str, Any]], bool]
    read: Callable[[Row, RowSource, str], Iterator[Result]]
    """From a row, its source and the task's name to what it holds."""
    origin: Callable[[Path, str], str] = lambda path, shown: ""
    """What a file says of where its rows come from. Raises a `DataError` where they are no longer what it says."""
