"""Train, validation and test: fixed by a hash of the group, so that growing data moves no old row."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from instructglm.config.data import Limit, SplitSettings
from instructglm.core.ids import unit_interval
from instructglm.core.ledger import Ledger
from instructglm.core.records import Example, Split, prompt_hash


@dataclass(frozen=True)
class Quota:
    """The source that an example came from, and how many that source may give."""

    source: str
    limit: Limit


RowKey = tuple[str, str]


def key_of(example: Example) -> RowKey:
    """The row that an example was read from, and its task: what no transform changes."""
    return example.row, example.task


_STRICTEST_FIRST = (Split.TEST, Split.VALIDATION, Split.TRAIN)
Splits = dict[Split, list[Example]]


def split_examples(
    examples: Sequence[Example], settings: SplitSettings, limits: Mapping[RowKey, Quota], ledger: Ledger
) -> Splits:
    """Every example in its split, less what leaks and what is over the limit of its source.

    Where a task's source names its own test (or validation) examples, those
    are used and none are drawn by hash.
    """
    named = _named_splits(examples)
    splits: Splits = {split: [] for split in Split}
    for example in examples:
        splits[_assign(example, settings, named[example.task])].append(example)
    return _limited(_without_leaks(splits, settings, ledger), limits, ledger)


def _named_splits(examples: Sequence[Example]) -> Mapping[str, set[Split]]:
    named: defaultdict[str, set[Split]] = defaultdict(set)
    for example in examples:
        if example.split is not None:
            named[example.task].add(example.split)
    return named


def _group(example: Example, settings: SplitSettings) -> str:
    return example.group if settings.group_by == "document" else prompt_hash(example.messages)


def _assign(example: Example, settings: SplitSettings, named: set[Split]) -> Split:
    if example.split in (Split.TEST, Split.VALIDATION):
        return example.split
    test = 0.0 if Split.TEST in named else settings.test
    validation = 0.0 if Split.VALIDATION in named else settings.validation
    place = unit_interval("split", _group(example, settings))
    if place < test:
        return Split.TEST
    return Split.VALIDATION if place < test + validation else Split.TRAIN


def _without_leaks(splits: Splits, settings: SplitSettings, ledger: Ledger) -> Splits:
    """Drop from the looser split whatever prompt or group also stands in a stricter one."""
    seen: dict[str, Example] = {}
    clean: Splits = {}
    for split in _STRICTEST_FIRST:
        clean[split] = []
        for example in splits[split]:
            keys = {prompt_hash(example.messages), _group(example, settings)}
            twin = next((seen[key] for key in keys if key in seen), None)
            if twin is None:
                clean[split].append(example)
            else:
                ledger.drop(example.row, "leaked", f"held out with {twin.row}", task=example.task)
        for example in clean[split]:
            seen.update(dict.fromkeys((prompt_hash(example.messages), _group(example, settings)), example))
    return {split: clean[split] for split in Split}


def _limited(splits: Splits, limits: Mapping[RowKey, Quota], ledger: Ledger) -> Splits:
    """Of each source and split as many as its limit allows, chosen by a hash: file order does not matter."""
    limited: Splits = {}
    for split, examples in splits.items():
        places = Counter[str]()
        over: set[int] = set()
        for index, example in sorted(enumerate(examples), key=lambda pair: unit_interval("limit", pair[1].id)):
            quota = limits[key_of(example)]
            count = getattr(quota.limit, split.value)
            places[quota.source] += 1
            if count is not None and places[quota.source] > count:
                over.add(index)
                ledger.drop(example.row, "over_limit", f"{split} is limited to {count}", task=example.task)
        limited[split] = [example for index, example in enumerate(examples) if index not in over]
    return limited
