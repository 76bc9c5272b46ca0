"""The first page: the projects, and what one can do in them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request
from starlette.responses import Response

from instructglm.annotation.queue.progress import people_progress, round_progress
from instructglm.annotation.store import Store
from instructglm.annotation.store.projects import ProjectInfo, list_projects
from instructglm.annotation.store.tables.base import LARGEST_ID
from instructglm.core.records import Record
from instructglm.studio.guard import ForAnnotators, Me, Opened
from instructglm.studio.pages import render

router = APIRouter(route_class=ForAnnotators)

ProjectId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


class ProjectLine(Record):
    """A project as the first page shows it: its open round, and what the reader did in it."""

    id: int
    name: str
    round: int | None
    num_places: int
    num_done: int
    num_mine: int


@router.get("/")
def home(request: Request, me: Me, opened: Opened) -> Response:
    """All projects."""
    lines = [_line(opened, project, me.person.id) for project in list_projects(opened)]
    return render(request, "home.html", projects=lines)


def _line(store: Store, project: ProjectInfo, person: int) -> ProjectLine:
    rounds = [one for one in round_progress(store, project.id) if one.is_open]
    current = rounds[0] if rounds else None
    mine = [one for one in people_progress(store, project.id) if one.person == person]
    return ProjectLine(
        id=project.id,
        name=project.name,
        round=current.round if current else None,
        num_places=current.num_places if current else 0,
        num_done=current.num_done if current else 0,
        num_mine=sum(one.num_done for one in mine if current and one.round == current.round),
    )


def project_of(store: Store, project: int) -> ProjectInfo:
    """A project by the id in a path.

    Raises:
        HTTPException: 404, there is none.
    """
    for one in list_projects(store):
        if one.id == project:
            return one
    raise HTTPException(404)
