"""Metric and comparison rows, laid out as a reader asks for them: task by task, the main figures first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from instructglm.config.evaluation import BASE, TUNED
from instructglm.core.records import ComparisonRow, MetricRow
from instructglm.report.contents import Report

Outcome = Literal["better", "worse", "undecided"]

MAIN_METRICS = {
    "closed": (
        "accuracy",
        "macro_precision",
        "macro_recall",
        "macro_f1",
        "generated_accuracy",
        "generated_macro_f1",
    ),
    "open": ("rouge_l", "chrf", "accuracy", "macro_precision", "macro_recall", "macro_f1"),
}
PICTURED_METRICS = {
    "closed": ("accuracy", "macro_f1", "generated_accuracy"),
    "open": ("rouge_l", "chrf", "macro_f1"),
}


@dataclass(frozen=True)
class Line:
    """One metric: a score per model and a difference per pair, None where there is none."""

    metric: str
    share: bool
    """Whether the values lie between 0 and 1, so that percentages read well."""
    scores: tuple[MetricRow | None, ...]
    differences: tuple[ComparisonRow | None, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """The different numbers of items behind the scores; one, unless a model missed some."""
        return tuple(dict.fromkeys(row.n for row in self.scores if row))


@dataclass(frozen=True)
class TaskResults:
    """All figures of one task. The first pair is base and tuned, where they were compared."""

    task: str
    kind: str
    models: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    main: tuple[Line, ...]
    more: tuple[Line, ...]
    per_class: tuple[Line, ...]

    @property
    def pictured(self) -> tuple[Line, ...]:
        """The few lines worth a picture."""
        wanted = PICTURED_METRICS[self.kind]
        lines = [line for name in wanted for line in self.main if line.metric == name and line.share]
        return tuple(lines) or tuple(line for line in self.main if line.share)[:3]

    @property
    def num_items(self) -> int:
        """The most items any figure rests on."""
        return max((size for line in self.main for size in line.sizes), default=0)

    def is_share(self, row: ComparisonRow) -> bool:
        """Whether this comparison's metric lies between 0 and 1."""
        return all(line.share for line in (*self.main, *self.more, *self.per_class) if line.metric == row.metric)

    @property
    def verdict(self) -> ComparisonRow | None:
        """The comparison to judge by: of the first pair, in the first metric that was compared."""
        lines = (*self.pictured, *self.main, *self.more)
        return next((line.differences[0] for line in lines if line.differences and line.differences[0]), None)


def outcome(row: ComparisonRow, confidence: float) -> Outcome:
    """Whether `b` is better or worse than `a`: only where the interval and the corrected test agree that it is."""
    p_value = row.p_value if row.p_adjusted is None else row.p_adjusted
    if p_value < 1 - confidence - 1e-12 and row.low > 0:
        return "better"
    if p_value < 1 - confidence - 1e-12 and row.high < 0:
        return "worse"
    return "undecided"


def task_results(report: Report) -> tuple[TaskResults, ...]:
    """Every task that has figures, in the report's order."""
    tasks = dict.fromkeys([*(row.task for row in report.metrics), *(row.task for row in report.comparisons)])
    return tuple(_one_task(report, task) for task in tasks)


def model_names(report: Report) -> tuple[str, ...]:
    """Base, tuned, then the others as they come."""
    found = [*(row.model for row in report.metrics), *(answer.model for s in report.samples for answer in s.answers)]
    return _base_and_tuned_first(found)


def task_kind(report: Report, task: str) -> str:
    """`closed` or `open`: as the data card says, or as the metrics look."""
    for card in report.data.tasks:
        if card.task == task:
            return card.kind
    metrics = {row.metric for row in report.metrics if row.task == task}
    return "open" if "rouge_l" in metrics else "closed"


def _one_task(report: Report, task: str) -> TaskResults:
    metrics = [row for row in report.metrics if row.task == task]
    comparisons = [row for row in report.comparisons if row.task == task]
    kind = task_kind(report, task)
    models, pairs = _base_and_tuned_first(row.model for row in metrics), _pairs(comparisons)
    names = dict.fromkeys([*(row.metric for row in metrics), *(row.metric for row in comparisons)])
    lines = {name: _line(name, metrics, comparisons, models, pairs) for name in names}
    averages = [name for name in lines if not name.endswith("]")]
    main = [name for name in MAIN_METRICS[kind] if name in lines] or averages
    return TaskResults(
        task=task,
        kind=kind,
        models=models,
        pairs=pairs,
        main=tuple(lines[name] for name in main),
        more=tuple(lines[name] for name in averages if name not in main),
        per_class=tuple(line for name, line in lines.items() if name.endswith("]")),
    )


def _line(
    metric: str,
    metrics: Sequence[MetricRow],
    comparisons: Sequence[ComparisonRow],
    models: Sequence[str],
    pairs: Sequence[tuple[str, str]],
) -> Line:
    scores = {row.model: row for row in metrics if row.metric == metric}
    differences = {(row.a, row.b): row for row in comparisons if row.metric == metric}
    return Line(
        metric=metric,
        share=all(0 <= row.value <= 1 for row in scores.values() if row.value == row.value),
        scores=tuple(scores.get(model) for model in models),
        differences=tuple(differences.get(pair) for pair in pairs),
    )


def _base_and_tuned_first(names: Iterable[str]) -> tuple[str, ...]:
    found = dict.fromkeys(names)
    return (*(name for name in (BASE, TUNED) if name in found), *(n for n in found if n not in (BASE, TUNED)))


def _pairs(comparisons: Iterable[ComparisonRow]) -> tuple[tuple[str, str], ...]:
    found = dict.fromkeys((row.a, row.b) for row in comparisons)
    return tuple(sorted(found, key=lambda pair: pair != (BASE, TUNED)))
