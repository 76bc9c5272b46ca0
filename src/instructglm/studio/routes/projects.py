"""Making a project, and how it is annotated."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from instructglm.annotation.store import Store
from instructglm.annotation.store.projects import (
    ProjectInfo,
    Settings,
    create_project,
    list_guidelines,
    rename_project,
    revise_settings,
)
from instructglm.core.errors import DataError
from instructglm.studio.fields import Sent
from instructglm.studio.guard import ForAdmins, Me, Opened
from instructglm.studio.pages import render
from instructglm.studio.project_form import read_settings, sent, shown
from instructglm.studio.routes.home import ProjectId, project_of

router = APIRouter(route_class=ForAdmins)


@router.get("/projects/new")
def ask(request: Request) -> Response:
    """The form of a new project."""
    return _new(request, form=shown("", Settings()))


@router.post("/projects/new")
def make(request: Request, me: Me, opened: Opened, fields: Sent) -> Response:
    """Make a project, and go on to its guideline."""
    name, settings = read_settings(fields, Settings())
    if not fields.faults:
        try:
            project = create_project(opened, name, settings, person=me.person.id)
        except DataError:
            fields.wrong("name", "fault.taken")
        else:
            return RedirectResponse(f"/projects/{project}/settings?done=made", 303)
    return _new(request, status=400, form=sent(fields), wrong=fields.faults)


def _new(request: Request, *, status: int = 200, **told: Any) -> Response:
    return render(request, "project_new.html", status=status, **{"wrong": {}, **told})


@router.get("/projects/{project}/settings")
def settings(request: Request, opened: Opened, project: ProjectId, done: str = "") -> Response:
    """The settings, and the versions of the guideline."""
    info = project_of(opened, project)
    return _settings(request, opened, info, form=shown(info.name, info.settings), done=done)


@router.post("/projects/{project}/settings")
def put_settings(request: Request, me: Me, opened: Opened, project: ProjectId, fields: Sent) -> Response:
    """Change how a project is annotated."""
    info = project_of(opened, project)
    name, changed = read_settings(fields, info.settings)
    if not fields.faults:
        try:
            rename_project(opened, project, name, person=me.person.id)
        except DataError:
            fields.wrong("name", "fault.taken")
        else:
            revise_settings(opened, project, lambda now: _as_sent(now, changed), person=me.person.id)
            return RedirectResponse(f"/projects/{project}/settings?done=saved", 303)
    return _settings(request, opened, info, status=400, form=sent(fields), wrong=fields.faults)


def _as_sent(now: Settings, sent: Settings) -> Settings:
    """What the form speaks of as it was sent; targets, which it does not, as they are by now."""
    return sent.model_copy(update={"targets": now.targets})


def _settings(request: Request, store: Store, info: ProjectInfo, *, status: int = 200, **told: Any) -> Response:
    versions = list_guidelines(store, info.id)
    values = {"wrong": {}, "done": "", **told}
    return render(request, "settings.html", status=status, project=info, versions=versions, **values)
