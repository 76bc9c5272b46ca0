"""The order of figures and what counts as a difference."""

from collections.abc import Callable

import pytest

from instructglm.core.records import ComparisonRow
from instructglm.report.contents import Report
from instructglm.report.results import outcome, task_results


def row(low: float, high: float, p: float) -> ComparisonRow:
    return ComparisonRow(
        task="t",
        metric="accuracy",
        a="base",
        b="tuned",
        difference=(low + high) / 2,
        low=low,
        high=high,
        p_value=p,
        n=100,
    )


@pytest.mark.parametrize(
    ("low", "high", "p", "expected"),
    [
        (0.1, 0.2, 0.001, "better"),
        (-0.2, -0.1, 0.001, "worse"),
        (-0.1, 0.2, 0.3, "undecided"),
        (0.01, 0.2, 0.06, "undecided"),
        (-0.01, 0.2, 0.04, "undecided"),
        (0.0, 0.0, 1.0, "undecided"),
    ],
)
def test_interval_and_test_must_agree(low: float, high: float, p: float, expected: str) -> None:
    assert outcome(row(low, high, p), 0.95) == expected


def test_every_figure_is_shown_exactly_once(report: Report) -> None:
    lines = [(r, line) for r in task_results(report) for line in (*r.main, *r.more, *r.per_class)]
    assert sorted((s.task, s.metric, s.model) for _, line in lines for s in line.scores if s) == sorted(
        (m.task, m.metric, m.model) for m in report.metrics
    )
    assert sorted((c.task, c.metric, c.b) for _, line in lines for c in line.differences if c) == sorted(
        (c.task, c.metric, c.b) for c in report.comparisons
    )


def test_base_and_tuned_come_first_whatever_the_order(build: Callable[..., Report]) -> None:
    report = build(models=("base", "tuned", "other"))
    turned = report.model_copy(update={"metrics": report.metrics[::-1], "comparisons": report.comparisons[::-1]})
    for results in task_results(turned):
        assert results.models == ("base", "tuned", "other")
        assert results.pairs[0] == ("base", "tuned")


def test_a_metric_beyond_one_is_no_percentage(build: Callable[..., Report]) -> None:
    report = build(with_open=False)
    changes = {"metric": "perplexity", "value": 7.5}
    rows = tuple(m.model_copy(update=changes) for m in report.metrics if m.metric == "accuracy")
    (results,) = task_results(report.model_copy(update={"metrics": rows, "comparisons": ()}))
    assert [line.share for line in results.main] == [False]
    assert results.pictured == ()
    assert results.verdict is None
