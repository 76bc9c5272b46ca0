"""The annotator's pages: the item in hand, one's own answers, and the guideline."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import Response

from instructglm.annotation.queue.mine import my_answers, unfinished
from instructglm.annotation.store.chain import origin
from instructglm.annotation.store.projects import list_guidelines
from instructglm.annotation.store.tables.base import LARGEST_ID
from instructglm.studio.guard import ForAnnotators, Me, Opened
from instructglm.studio.guideline import blocks
from instructglm.studio.pages import render
from instructglm.studio.routes.home import ProjectId, project_of
from instructglm.studio.routes.work_api import guideline_shown
from instructglm.studio.words import language_of, words_in

router = APIRouter(route_class=ForAnnotators)

Number = Annotated[int, Query(ge=1, le=LARGEST_ID)]
_A_PAGE = 50
_NAMING = 12  # hex digits of a store's origin: a browser may know several stores under one address


@router.get("/projects/{project}/work")
def work(request: Request, project: ProjectId, me: Me, opened: Opened, assignment: Number | None = None) -> Response:
    """The item in hand, or one's own item of this `assignment` again."""
    info = project_of(opened, project)
    setting = {
        "project": project,
        "store": origin(opened)[:_NAMING],
        "person": me.person.id,
        "name": me.person.name,
        "assignment": assignment,
        "renewMs": min(60_000, info.settings.lease_ms // 3),
        "guideline": guideline_shown(opened, project).model_dump(),
        "words": words_in(language_of(request)).under("work.say."),
    }
    return render(request, "work.html", project=info, setting=setting)


@router.get("/projects/{project}/mine")
def mine(request: Request, project: ProjectId, me: Me, opened: Opened, before: Number | None = None) -> Response:
    """One's own answers in the open round, newest first."""
    info = project_of(opened, project)
    found = my_answers(opened, project, me.person.id, before=before, most=_A_PAGE + 1)
    shown, rest = found[:_A_PAGE], found[_A_PAGE:]
    started = () if before else unfinished(opened, project, me.person.id)
    older = shown[-1].submission if rest else None
    return render(request, "mine.html", project=info, answers=shown, started=started, older=older, before=before)


@router.get("/projects/{project}/guideline")
def guideline(request: Request, project: ProjectId, opened: Opened, version: Number | None = None) -> Response:
    """The guideline, the latest or an earlier version."""
    info = project_of(opened, project)
    versions = list_guidelines(opened, project)
    shown = next((one for one in versions if version in (None, one.version)), None)
    if version is not None and shown is None:
        raise HTTPException(404)
    pieces = blocks(shown.text) if shown else ()
    return render(request, "guideline.html", project=info, versions=versions, shown=shown, blocks=pieces)
