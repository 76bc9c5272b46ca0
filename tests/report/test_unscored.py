"""Items that a model did not answer are told beside the figures that leave them out."""

from __future__ import annotations

import re

from instructglm.report.contents import Report, Unscored
from instructglm.report.html import render_html


def note(task: str, reason: str = "prompt too long for max_length 64") -> Unscored:
    return Unscored(model="base", task=task, reason=reason, num_items=1234)


def test_a_note_stands_with_its_task_and_says_how_many_and_why(build) -> None:
    report = build()
    task = report.metrics[0].task
    page = render_html(report.model_copy(update={"unscored": (note(task),)}))
    (article,) = [
        found for found in re.findall(r"<article class=\"task\">.*?</article>", page, re.DOTALL) if "1,234" in found
    ]
    assert task in article
    assert "prompt too long for max_length 64" in article
    assert "没有作答" in article


def test_a_task_without_any_figure_is_still_told(build) -> None:
    page = render_html(build(unscored=(note("a task of its own", "<b>"),)))
    assert page.count("a task of its own") == 1
    assert "1,234" in page
    assert "&lt;b&gt;" in page


def test_a_report_of_before_has_none(build) -> None:
    report = build()
    assert "没有作答" not in render_html(report)
    old = report.model_dump(mode="json", exclude={"unscored"})
    assert Report.model_validate(old).unscored == ()
