"""How far the rounds and the people have come."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

from instructglm.annotation.queue.progress import PersonProgress, people_progress, round_progress
from instructglm.annotation.queue.throughput import done_by_hour, forecast, last_seen
from instructglm.annotation.store import Store
from instructglm.report.numerals import duration
from instructglm.studio.callings import callings
from instructglm.studio.guard import ForReviewers, Me, Opened
from instructglm.studio.pages import render
from instructglm.studio.pictures import hours
from instructglm.studio.routes.home import ProjectId, project_of
from instructglm.studio.words import language_of, words_in

router = APIRouter(route_class=ForReviewers)

_HOURS = 72


class PersonLine(NamedTuple):
    """What somebody did in a round, and in the last hours in all rounds."""

    progress: PersonProgress
    by_hour: tuple[int, ...]
    seen_ms: int | None

    @property
    def an_hour(self) -> float | None:
        """Items in those hours in which they worked; None: they did not."""
        worked = [number for number in self.by_hour if number]
        return sum(worked) / len(worked) if worked else None


@router.get("/projects/{project}/progress")
def show(request: Request, me: Me, opened: Opened, project: ProjectId) -> Response:
    """Rounds, newest first, and the people in each."""
    info = project_of(opened, project)
    t = words_in(language_of(request))
    return render(
        request,
        "progress.html",
        project=info,
        rounds=round_progress(opened, project)[::-1],
        forecast=forecast(opened, project),
        people=_people(opened, project),
        num_hours=_HOURS,
        call=callings(opened, me, t),
        hours=hours,
        moment=_moment,
        duration=duration,
    )


def _people(store: Store, project: int) -> dict[int, list[PersonLine]]:
    """The people of each round, by its number."""
    by_hour, seen = done_by_hour(store, project, _HOURS), last_seen(store, project)
    found: dict[int, list[PersonLine]] = {}
    for one in people_progress(store, project):
        line = PersonLine(one, by_hour.get(one.person, (0,) * _HOURS), seen.get(one.person))
        found.setdefault(one.round, []).append(line)
    return found


def _moment(at_ms: int) -> str:
    """A time as HTML wants it, in UTC; the page's script tells it in the reader's own."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%MZ")
