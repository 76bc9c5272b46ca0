"""The dashboard of agreement: what to do next, and the figures behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from instructglm.annotation.overview import Overview
from instructglm.studio.callings import callings
from instructglm.studio.figures_said import figure_of, finding_said, interval_of, note_said, period_said
from instructglm.studio.guard import ForReviewers, Me, Opened
from instructglm.studio.pages import render
from instructglm.studio.pictures import over_time, whisker
from instructglm.studio.routes.home import ProjectId, project_of
from instructglm.studio.standings import standings_of
from instructglm.studio.words import Words, language_of, words_in

router = APIRouter(route_class=ForReviewers)

_MOST_PAIRS = 50


@router.get("/projects/{project}/agreement")
def show(request: Request, me: Me, opened: Opened, project: ProjectId) -> Response:
    """The figures as they were computed last; the page says when newer ones are on their way."""
    info = project_of(opened, project)
    reply = standings_of(request).ask(project)
    t = words_in(language_of(request))
    call = callings(opened, me, t)
    overview = reply.standing.overview if reply.standing else None
    return render(
        request,
        "agreement.html",
        project=info,
        overview=overview,
        is_current=reply.is_current,
        has_failed=reply.has_failed,
        findings=_findings(overview, t, call) if overview else [],
        call=call,
        most_pairs=_MOST_PAIRS,
        figure=figure_of,
        interval=interval_of,
        note=lambda text: note_said(text, t),
        period=lambda start: period_said(start, t),
        whisker=whisker,
        over_time=over_time,
    )


def _findings(overview: Overview, t: Words, call: Callable[[str], str]) -> list[dict[str, Any]]:
    """Every finding with its words, and the question it is about; None: the items as a whole."""
    questions = [(question, finding) for question in overview.questions for finding in question.findings]
    found: list[dict[str, Any]] = [
        {"domain": finding.domain, "question": question, "text": finding_said(finding, t, call)}
        for question, finding in questions
    ]
    found += [{"domain": one.domain, "question": None, "text": finding_said(one, t, call)} for one in overview.waiting]
    return found
