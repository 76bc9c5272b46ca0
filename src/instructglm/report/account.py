"""The ledger, reason by reason, with every row's id in little room.

An id is a file and a place in it (`raw/a.jsonl:17`, `raw/b.json[4]`). Ids of
one file stand together under its name, and within it those with the same note,
so that twenty thousand of them take less than a megabyte and none is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from instructglm.core.ledger import LedgerEntry
from instructglm.report.contents import DataCard

_PLACE = re.compile(r"^(?P<file>.+?)(?P<place>:\d+|\[\d+\])$", re.DOTALL)
_NOTE_LENGTH = 200  # characters shown; report.json has the whole


@dataclass(frozen=True)
class Note:
    """The places that share one note, in the ledger's order."""

    text: str
    places: tuple[str, ...]


@dataclass(frozen=True)
class FileRows:
    """The rows of one file; `file` + place is a row's id."""

    file: str
    num_rows: int
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class ReasonRows:
    """All rows with one reason. `num_tokens` is None where no entry knows its tokens."""

    reason: str
    num_rows: int
    num_dropped: int
    num_cut: int
    num_tokens: int | None
    tasks: tuple[tuple[str, int], ...]
    files: tuple[FileRows, ...]


def account(data: DataCard) -> tuple[ReasonRows, ...]:
    """The ledger by reason, most frequent first."""
    reasons: dict[str, list[LedgerEntry]] = {reason: [] for reason in data.ledger_counts}
    for entry in data.ledger:
        reasons.setdefault(entry.reason, []).append(entry)
    rows = (_reason(name, entries, data.ledger_counts.get(name, len(entries))) for name, entries in reasons.items())
    return tuple(sorted(rows, key=lambda found: -found.num_rows))


def split_row_id(row: str) -> tuple[str, str]:
    """The file and the place in it; an id of another shape is all place.

    >>> split_row_id("raw/a.jsonl:17"), split_row_id("raw/b.json[4]"), split_row_id("17")
    (('raw/a.jsonl', ':17'), ('raw/b.json', '[4]'), ('', '17'))
    """
    found = _PLACE.match(row)
    return (found["file"], found["place"]) if found else ("", row)


def _reason(reason: str, entries: Sequence[LedgerEntry], num_rows: int) -> ReasonRows:
    tokens = [entry.num_tokens for entry in entries if entry.num_tokens is not None]
    actions = Counter(entry.action for entry in entries)
    return ReasonRows(
        reason=reason,
        num_rows=num_rows,
        num_dropped=actions["dropped"],
        num_cut=actions["cut"],
        num_tokens=sum(tokens) if tokens else None,
        tasks=tuple(Counter(entry.task for entry in entries if entry.task).most_common()),
        files=_files(entries),
    )


def _files(entries: Iterable[LedgerEntry]) -> tuple[FileRows, ...]:
    files: dict[str, dict[str, list[str]]] = {}
    for entry in entries:
        file, place = split_row_id(entry.row)
        files.setdefault(file, {}).setdefault(entry.detail, []).append(place)
    return tuple(
        FileRows(file, sum(map(len, notes.values())), tuple(Note(_short(text), tuple(p)) for text, p in notes.items()))
        for file, notes in files.items()
    )


def _short(text: str) -> str:
    return text if len(text) <= _NOTE_LENGTH else text[:_NOTE_LENGTH] + "…"
