"""Columns for a terminal."""

from __future__ import annotations

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Aligned columns, two blanks apart; Chinese characters count as two wide.

    >>> print(table(["file", "rows"], [["a.jsonl", 12], ["b", 3]]))
    file     rows
    a.jsonl  12
    b        3
    """
    from rich.cells import cell_len

    lines = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    padded = (
        [cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)] for line in lines
    )
    return "\n".join("  ".join(line).rstrip() for line in padded)
