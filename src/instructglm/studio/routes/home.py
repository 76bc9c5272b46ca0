"""The first page: the projects, and what one can do in them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request
from starlette.responses import Response

from instructglm.annotation.queue.progress import glance
from instructglm.annotation.store import Store
from instructglm.annotation.store.projects import ProjectInfo, list_projects, read_project
from instructglm.annotation.store.tables.base import LARGEST_ID
from instructglm.core.errors import DataError
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
    seen = glance(store, project.id, person)
    return ProjectLine(
        id=project.id,
        name=project.name,
        round=seen.round.round if seen.round else None,
        num_places=seen.round.num_places if seen.round else 0,
        num_done=seen.round.num_done if seen.round else 0,
        num_mine=seen.num_mine,
    )


def project_of(store: Store, project: int) -> ProjectInfo:
    """A project by the id in a path.

    Raises:
        HTTPException: 404, there is none.
    """
    try:
        with store.read() as connection:
            return read_project(connection, project)
    except DataError as error:
        raise HTTPException(404) from error
