"""The table for the terminal."""

import re
from collections.abc import Callable

from instructglm.report.console import summary_table
from instructglm.report.contents import Report


def test_at_most_a_hundred_columns_of_plain_text(report: Report) -> None:
    shown = summary_table(report)
    assert max(map(len, shown.splitlines())) <= 100
    assert "\x1b" not in shown
    assert all(row.task in shown for row in report.metrics)


def test_names_value_interval_difference_p_and_verdict(build: Callable[..., Report]) -> None:
    shown = summary_table(build())
    assert shown.isascii()
    accuracy = next(line for line in shown.splitlines() if line.startswith("accuracy"))
    assert re.split("  +", accuracy) == [
        "accuracy",
        "64.1 % [58.7, 69.5]",
        "88.3 % [84.7, 91.9]",
        "+24.3 [+18.9, +29.7]",
        "< 0.001",
    ]
    assert "=> tuned is better than base in Accuracy" in shown
    assert "could not be read: base 0 of 302, tuned 7 of 302" in shown


def test_says_so_where_no_difference_is_shown(build: Callable[..., Report]) -> None:
    assert "These items show no difference between tuned and base in Accuracy" in summary_table(build(real=False))


def test_a_third_model_gets_a_table_of_its_own(build: Callable[..., Report]) -> None:
    shown = summary_table(build(models=("base", "tuned", "other")))
    assert "=> tuned is better than base" in shown
    assert "=> other is better than base" in shown
