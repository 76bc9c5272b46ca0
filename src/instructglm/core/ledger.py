"""The account of every row and token that did not reach training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from instructglm.core.records import Record

Reason = Literal[
    "malformed",  # a field is missing or of the wrong kind
    "empty",  # nothing to learn: no prompt or no output
    "duplicate",  # the same prompt and output stands earlier
    "conflict",  # a closed question with two different answers
    "raters_split",  # the annotators' ratings fall between the labels
    "leaked",  # its group also stands in a held-out split
    "unused",  # a part that the format cannot use; the rest of the row goes on
    "outranked",  # an output of its prompt is rated better, and only the best are trained
    "overlong",  # longer than max_length, or with all its outputs than tokens_per_batch
    "over_limit",  # beyond the number of rows the experiment asked for
]

_SHOWN = 60  # characters of a text in a detail


class LedgerEntry(Record):
    """One row that was dropped whole (`num_tokens` is what it held, where known) or cut."""

    row: str
    reason: Reason
    detail: str = ""
    action: Literal["dropped", "cut"] = "dropped"
    num_tokens: int | None = None
    task: str = ""


class Ledger:
    """Collects entries in the order they happen."""

    def __init__(self, entries: Iterable[LedgerEntry] = ()) -> None:
        self._entries = list(entries)

    @property
    def entries(self) -> Sequence[LedgerEntry]:
        return tuple(self._entries)

    def add(self, entry: LedgerEntry) -> None:
        """Take over an entry that was made elsewhere."""
        self._entries.append(entry)

    def drop(
        self, row: str, reason: Reason, detail: str = "", *, num_tokens: int | None = None, task: str = ""
    ) -> None:
        """Note that a whole row goes no further."""
        self._entries.append(LedgerEntry(row=row, reason=reason, detail=detail, num_tokens=num_tokens, task=task))

    def cut(self, row: str, reason: Reason, num_tokens: int, detail: str = "", *, task: str = "") -> None:
        """Note that a row goes on without `num_tokens` of its tokens."""
        self._entries.append(
            LedgerEntry(row=row, reason=reason, detail=detail, action="cut", num_tokens=num_tokens, task=task)
        )

    def counts(self) -> dict[str, int]:
        """Rows per reason, most frequent first."""
        return dict(Counter(entry.reason for entry in self._entries).most_common())

    def __len__(self) -> int:
        return len(self._entries)


def shortened(text: str) -> str:
    """A text as the detail of an entry quotes it."""
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")
