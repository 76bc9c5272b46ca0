"""Labels that several people gave to items, laid out for counting."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from instructglm.annotation.columns import Column, Floats, Ints, codes, last_of_each, plain


@dataclass(frozen=True)
class Votes:
    """N labels of I items by W annotators out of L labels, sorted by item; who said nothing has no row.

    An annotator has one vote an item: of several the last given counts.
    """

    items: tuple[Any, ...]
    annotators: tuple[Any, ...]
    labels: tuple[Any, ...]
    item: Ints  # (N,) in rising order
    annotator: Ints  # (N,)
    label: Ints  # (N,)

    @classmethod
    def of(cls, item: Column, annotator: Column, label: Column, labels: Column | None = None) -> Votes:
        """Votes from three columns of equal length, in the order in which they were given.

        Args:
            item: what was labelled.
            annotator: who labelled it.
            label: the answer.
            labels: all answers that may be given; None: those that were.

        Raises:
            ValueError: there is no vote, the columns differ in length, or a label is not among `labels`.
        """
        if not len(item) == len(annotator) == len(label):
            raise ValueError(f"{len(item)} items, {len(annotator)} annotators and {len(label)} labels: not one a row")
        if not len(item):
            raise ValueError("no votes to aggregate")
        items, item_codes = codes(item)
        people, people_codes = codes(annotator)
        names, label_codes = codes(label)
        if labels is not None:
            names, label_codes = _among(labels, names, label_codes)
        last = last_of_each(item_codes * len(people) + people_codes)
        return cls(items, people, names, item_codes[last], people_codes[last], label_codes[last])

    @property
    def shape(self) -> tuple[int, int, int]:
        """(L, W, I): how many labels, annotators, items."""
        return len(self.labels), len(self.annotators), len(self.items)

    @cached_property
    def votes_per_annotator(self) -> Ints:
        """(W,)."""
        return np.bincount(self.annotator, minlength=len(self.annotators))

    @cached_property
    def counts(self) -> Floats:
        """How many gave each label to each item: (L, I)."""
        return self.by_label_and_item(np.ones(len(self.item)))

    @cached_property
    def shares(self) -> Floats:
        """The share of an item's votes that each label got: (L, I)."""
        return np.asarray(self.counts / self.counts.sum(axis=0))

    def by_annotator(self, amounts: Floats) -> Floats:
        """Sum of what each vote (N,) adds, over the votes of each annotator: (W,)."""
        return _sums(self.annotator, amounts, len(self.annotators))

    def by_item(self, amounts: Floats) -> Floats:
        """Sum of what each vote adds, over the votes on each item; (..., N) gives (..., I)."""
        return np.asarray(np.add.reduceat(amounts, self._item_starts, axis=-1))

    def by_label_and_item(self, amounts: Floats) -> Floats:
        """Sum of what each vote (N,) adds to the label it names: (L, I)."""
        num_labels, _, num_items = self.shape
        cells = self.label * num_items + self.item
        return _sums(cells, amounts, num_labels * num_items).reshape(num_labels, num_items)

    def by_annotator_and_label(self, amounts: Floats) -> Floats:
        """Sum of what each vote (N,) adds to its annotator's use of its label: (W, L)."""
        num_labels, num_annotators, _ = self.shape
        return _sums(self.cell, amounts, num_annotators * num_labels).reshape(num_annotators, num_labels)

    def confusion(self, posterior: Floats) -> Floats:
        """How often each annotator said a label where another was true: (L true, W, L said), from (L, I)."""
        num_labels, num_annotators, _ = self.shape
        sums = np.zeros((num_labels, num_annotators * num_labels))
        order, starts = self._by_cell
        sums[:, self.cell[order[starts]]] = np.add.reduceat(posterior[:, self.item[order]], starts, axis=1)
        return sums.reshape(num_labels, num_annotators, num_labels)

    @cached_property
    def cell(self) -> Ints:
        """Annotator and label of each vote as one number: (N,), below W * L."""
        return self.annotator * len(self.labels) + self.label

    @cached_property
    def _item_starts(self) -> Ints:
        return np.searchsorted(self.item, np.arange(len(self.items)))

    @cached_property
    def _by_cell(self) -> tuple[Ints, Ints]:
        order = np.argsort(self.cell, kind="stable")
        return order, np.unique(self.cell[order], return_index=True)[1]


def _sums(places: Ints, amounts: Floats, num_places: int) -> Floats:
    return np.asarray(np.bincount(places, amounts, minlength=num_places), dtype=np.float64)


def _among(labels: Column, names: tuple[Any, ...], label_codes: Ints) -> tuple[tuple[Any, ...], Ints]:
    allowed = tuple(dict.fromkeys(plain(labels)))
    unknown = [name for name in names if name not in allowed]
    if unknown:
        raise ValueError(f"labels {unknown[:5]} were given; expected one of {list(allowed)}")
    return allowed, np.array([allowed.index(name) for name in names], dtype=np.int64)[label_codes]
