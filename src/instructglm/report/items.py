"""Test items side by side, with what a reader may filter them by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from instructglm.config.evaluation import BASE, TUNED
from instructglm.report.contents import Answer, Report, Sample
from instructglm.report.results import model_names

CLOSED_FILTERS = ("gained", "lost", "both_wrong", "unparsed")
OPEN_FILTERS = ("higher", "lower")


@dataclass(frozen=True)
class Item:
    """A sample, its answers in the order of the models (None where one is missing), and its filters."""

    sample: Sample
    answers: tuple[Answer | None, ...]
    filters: tuple[str, ...]


@dataclass(frozen=True)
class Items:
    """All items, the pair of models the filters speak of, and how many items each filter leaves."""

    models: tuple[str, ...]
    pair: tuple[str, str]
    items: tuple[Item, ...]
    filters: tuple[tuple[str, int], ...]
    tasks: tuple[str, ...]


def is_unparsed(answer: Answer) -> bool:
    """Whether a closed question got an answer that could not be read."""
    return answer.correct is not None and answer.parsed is None


def was_interpreted(answer: Answer) -> bool:
    """Whether the answer that was read differs from the bare text by more than capitals and a full stop."""
    return answer.parsed is not None and answer.parsed.casefold() != answer.text.strip(" \n.。").casefold()


def items_of(report: Report) -> Items:
    """The report's samples, ready to show."""
    models = model_names(report)
    pair = (BASE, TUNED) if {BASE, TUNED} <= set(models) else ((*models, "", "")[0], (*models, "", "")[1])
    items = tuple(_item(sample, models, pair) for sample in report.samples)
    return Items(
        models=models,
        pair=pair,
        items=items,
        filters=_counts(items),
        tasks=tuple(dict.fromkeys(sample.task for sample in report.samples)),
    )


def _item(sample: Sample, models: Sequence[str], pair: tuple[str, str]) -> Item:
    answers = {answer.model: answer for answer in sample.answers}
    filters = [_outcome(answers.get(pair[0]), answers.get(pair[1]))]
    if any(is_unparsed(answer) for answer in sample.answers):
        filters.append("unparsed")
    return Item(sample, tuple(answers.get(model) for model in models), tuple(name for name in filters if name))


def _outcome(a: Answer | None, b: Answer | None) -> str | None:
    """The filter this pair of answers falls under, if any."""
    if a is None or b is None:
        return None
    if a.correct is not None and b.correct is not None:
        both = (a.correct, b.correct)
        return {(False, True): "gained", (True, False): "lost", (False, False): "both_wrong"}.get(both)
    if a.score is None or b.score is None or a.score == b.score:
        return None
    return "higher" if b.score > a.score else "lower"


def _counts(items: Sequence[Item]) -> tuple[tuple[str, int], ...]:
    """Each filter with its number of items; those that cannot apply to these tasks are left out."""
    found = Counter(name for item in items for name in item.filters)
    answers = [answer for item in items for answer in item.answers if answer]
    closed, scored = any(a.correct is not None for a in answers), any(a.score is not None for a in answers)
    names = (*(CLOSED_FILTERS if closed else ()), *(OPEN_FILTERS if scored else ()))
    return (("all", len(items)), *((name, found[name]) for name in names))
