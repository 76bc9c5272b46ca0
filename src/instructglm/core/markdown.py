"""Markdown for cards: tables, and text that is shown as it stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_ENTITIES = {"<": "&lt;", ">": "&gt;"}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""A table; whatever stands in a cell is shown, not obeyed.

    >>> print(table(["file", "rows"], [["a_b.jsonl", "12"]]))
    | file | rows |
    | --- | --- |
    | a\_b.jsonl | 12 |
    """
    lines = [head, ["---"] * len(head), *([plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plain(text: str) -> str:
    """One line that Markdown shows as it stands."""
    one_line = " ".join(text.split())
    for sign in "\\`*_[]<>|#":
        one_line = one_line.replace(sign, _ENTITIES.get(sign, f"\\{sign}"))
    return one_line
