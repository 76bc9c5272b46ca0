"""Confusion counts as cells of a heat map."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from instructglm.report.contents import Confusion

_NUM_SHADES = 10
UNPARSED = "unparsed"


@dataclass(frozen=True)
class Cell:
    """One count, with its share of the row (None in an empty row) and what that means for its looks."""

    count: int
    share: float | None
    right: bool
    unparsed: bool

    @property
    def shade(self) -> int:
        """0 (nothing) to 10 (the whole row); a single count in a long row still shows."""
        return min(_NUM_SHADES, max(1, round((self.share or 0) * _NUM_SHADES))) if self.count else 0


@dataclass(frozen=True)
class Matrix:
    """One model's table: (reference, cells, total) a row."""

    model: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...], int], ...]


@dataclass(frozen=True)
class Matrices:
    """All models on one task, scored in one way."""

    task: str
    scoring: str
    matrices: tuple[Matrix, ...]


def side_by_side(confusions: Iterable[Confusion]) -> tuple[Matrices, ...]:
    """Group the tables by task and scoring, models in the order they come."""
    groups: dict[tuple[str, str], list[Matrix]] = {}
    for confusion in confusions:
        groups.setdefault((confusion.task, confusion.scoring), []).append(_matrix(confusion))
    return tuple(Matrices(task, scoring, tuple(found)) for (task, scoring), found in groups.items())


def has_unparsed(confusion: Confusion) -> bool:
    """Whether the last column counts answers that could not be read."""
    return confusion.scoring == "generation" and confusion.columns[-1:] == (UNPARSED,)


def _matrix(confusion: Confusion) -> Matrix:
    last = len(confusion.columns) - 1 if has_unparsed(confusion) else None
    rows = []
    for reference, counts in zip(confusion.rows, confusion.counts, strict=True):
        total = sum(counts)
        cells = tuple(
            Cell(number, number / total if total else None, column == reference and at != last, at == last)
            for at, (column, number) in enumerate(zip(confusion.columns, counts, strict=True))
        )
        rows.append((reference, cells, total))
    return Matrix(confusion.model, confusion.columns, tuple(rows))
