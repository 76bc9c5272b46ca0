"""Which examples are asked while a model trains, and how tasks come together in one figure."""

from __future__ import annotations

import pytest

from instructglm.config.training import EvalMetrics
from instructglm.core.errors import RunError
from instructglm.core.records import Example, Message, MetricRow
from instructglm.evaluation.validate import overall, sample

EXAMPLES = [Example.of([Message(role="user", content=f"{i}")], ["x"], task="t") for i in range(50)]


def row(task: str, metric: str, value: float, n: int) -> MetricRow:
    return MetricRow(model="validation", task=task, metric=metric, value=value, low=0, high=1, n=n)


def test_the_sample_is_fixed_by_the_seed_and_keeps_its_order() -> None:
    asked = EvalMetrics(num_examples=10)
    first = sample(EXAMPLES, asked, 17)
    assert first == sample(EXAMPLES, asked, 17)
    assert first != sample(EXAMPLES, asked, 18)
    assert [EXAMPLES.index(one) for one in first] == sorted(EXAMPLES.index(one) for one in first)
    assert sample(EXAMPLES[:3], asked, 17) == EXAMPLES[:3]


def test_tasks_weigh_as_many_as_they_have_items_and_those_without_the_metric_nothing() -> None:
    rows = [row("a", "accuracy", 1.0, 30), row("b", "accuracy", 0.0, 10), row("b", "rouge_l", 0.4, 10)]
    assert overall(rows, ["accuracy", "rouge_l"]) == {"accuracy": (0.75, 40), "rouge_l": (0.4, 10)}


def test_a_metric_that_no_task_has_is_refused_with_those_there_are() -> None:
    rows = [row("a", "accuracy", 1.0, 30), row("a", "recall[x]", 1.0, 30)]
    with pytest.raises(RunError, match=r"no task of the validation sample has chrf\nChoose from: accuracy\."):
        overall(rows, ["accuracy", "chrf"])
    with pytest.raises(RunError, match="None of its examples could be scored"):
        overall([], ["accuracy"])
