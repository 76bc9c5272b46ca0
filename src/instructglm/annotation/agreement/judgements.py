"""What people said of items, with who, in which domain, in which round and when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from instructglm.annotation.agreement.distances import Level
from instructglm.annotation.agreement.table import Table
from instructglm.annotation.columns import Column, Floats, Ints, codes, last_of_each, plain


@dataclass(frozen=True)
class Judgements:
    """N values that people gave to items; each column holds numbers of names. Who said nothing has no row.

    `values` stand in rising order. `positions` are their places on the scale: the values themselves where they are
    numbers, else 0, 1, 2, ...
    """

    level: Level
    items: tuple[Any, ...]
    annotators: tuple[Any, ...]
    values: tuple[Any, ...]
    domains: tuple[Any, ...]
    rounds: tuple[Any, ...]
    positions: Floats  # (V,)
    item: Ints  # (N,)
    annotator: Ints  # (N,)
    value: Ints  # (N,)
    domain: Ints  # (N,)
    round: Ints  # (N,)
    time: Floats  # (N,) seconds

    @classmethod
    def of(
        cls,
        item: Column,
        annotator: Column,
        value: Column,
        *,
        level: Level = "nominal",
        domain: Column | None = None,
        round: Column | None = None,
        time: Column | None = None,
        values: Column | None = None,
    ) -> Judgements:
        """Judgements from columns of equal length.

        Args:
            item: what was judged.
            annotator: who judged it.
            value: a label, or a rating on a scale.
            level: what the values are.
            domain: of the item; None: all items are of one.
            round: of annotation, sortable; None: there was one.
            time: in seconds; None: the rows stand in the order in which they were written.
            values: all that may be given, an ordinal scale of words in rising order; None: those that were given.

        Raises:
            ValueError: columns differ in length, a value is not a number or not among `values`, or the level asks for
                numbers that the values are not.
        """
        columns = [item, annotator, value, *(column for column in (domain, round, time) if column is not None)]
        if len({len(column) for column in columns}) > 1:
            raise ValueError(f"columns of {[len(column) for column in columns]} rows: expected equally many")
        (items, of_item), (people, of_person) = codes(item), codes(annotator)
        scale, of_value = _scale(value, values)
        domains, of_domain = codes(domain) if domain is not None else _alike(len(item))
        rounds, of_round = codes(round) if round is not None else _alike(len(item))
        seconds = np.arange(len(item)) if time is None else time
        return cls(
            level=level,
            items=items,
            annotators=people,
            values=scale,
            domains=domains,
            rounds=rounds,
            positions=_positions(scale, level, ordered=values is not None),
            item=of_item,
            annotator=of_person,
            value=of_value,
            domain=of_domain,
            round=of_round,
            time=np.asarray(seconds, dtype=np.float64),
        )

    def where(self, rows: Ints) -> Judgements:
        """Those rows alone; all names stay."""
        return replace(
            self,
            item=self.item[rows],
            annotator=self.annotator[rows],
            value=self.value[rows],
            domain=self.domain[rows],
            round=self.round[rows],
            time=self.time[rows],
        )

    @cached_property
    def latest(self) -> Judgements:
        """One judgement for each person and item: of the last round, there the last in time; by item and person."""
        order = np.lexsort((self.time, self.round))
        return self.where(order[last_of_each(self._pair[order])])

    @cached_property
    def latest_in_round(self) -> Judgements:
        """One judgement for each person, item and round, the last in time; by item, person and round."""
        order = np.argsort(self.time, kind="stable")
        key = self._pair[order] * len(self.rounds) + self.round[order]
        return self.where(order[last_of_each(key)])

    def parts(self, of_row: Ints) -> Iterator[tuple[int, Judgements]]:
        """The judgements by a number that each row has, (N,), in rising order of it."""
        order = np.argsort(of_row, kind="stable")
        numbers, starts = np.unique(of_row[order], return_index=True)
        for number, rows in zip(numbers.tolist(), np.split(order, starts)[1:], strict=True):
            yield number, self.where(rows)

    def counts(self) -> Ints:
        """How often each value was given to each item: (I, V), items without a row included."""
        cells = self.item * len(self.values) + self.value
        shape = len(self.items), len(self.values)
        return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)

    def table(self) -> Table:
        """The counts of the items that have a row, for the coefficients."""
        seen = np.bincount(self.item, minlength=len(self.items)) > 0
        number = np.cumsum(seen) - 1
        return Table.of_codes(number[self.item], self.value, int(seen.sum()), self.positions)

    @property
    def _pair(self) -> Ints:
        """Item and person of each row as one number."""
        return self.item * len(self.annotators) + self.annotator


def _alike(num_rows: int) -> tuple[tuple[Any, ...], Ints]:
    return ("",), np.zeros(num_rows, dtype=np.int64)


def _scale(value: Column, values: Column | None) -> tuple[tuple[Any, ...], Ints]:
    given, numbers = codes(value)
    if any(name != name for name in given):
        raise ValueError("a value is not a number; leave missing ones out")
    if values is None:
        return given, numbers
    place = {name: index for index, name in enumerate(plain(values))}
    unknown = [name for name in given if name not in place]
    if unknown:
        raise ValueError(f"values {unknown[:5]} were given; expected one of {list(place)}")
    return tuple(place), np.array([place[name] for name in given], dtype=np.int64)[numbers]


def _positions(scale: tuple[Any, ...], level: Level, ordered: bool) -> Floats:
    numbers = all(isinstance(value, int | float) for value in scale)
    if level == "nominal" or (level == "ordinal" and ordered and not numbers):
        return np.arange(len(scale), dtype=np.float64)
    if not numbers:
        raise ValueError(
            f"level {level} with values {list(scale)[:5]}: expected numbers, or for an ordinal scale of words `values` "
            "in rising order"
        )
    positions = np.asarray(scale, dtype=np.float64)
    if not np.isfinite(positions).all() or (np.diff(positions) <= 0.0).any():
        raise ValueError(f"values {list(scale)[:5]}: expected finite numbers in rising order")
    return positions
