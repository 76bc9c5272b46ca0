"""Taking a project out: every exchange format, as a stream."""

from __future__ import annotations

from itertools import chain
from urllib.parse import quote

from fastapi import APIRouter, HTTPException
from starlette.responses import Response, StreamingResponse

from instructglm.annotation.exchange import FORMATS, export
from instructglm.studio.fields import Asked
from instructglm.studio.guard import ForAdmins, Opened
from instructglm.studio.routes.home import ProjectId, project_of

router = APIRouter(route_class=ForAdmins)


@router.get("/projects/{project}/export")
def take_out(opened: Opened, project: ProjectId, asked: Asked) -> Response:
    """The project as a file: `format`, with `names` of people or without, with `gold` items or without."""
    info, format = project_of(opened, project), asked.text("format")
    if format not in FORMATS:
        raise HTTPException(404)
    leaving = export(opened, project, format, names=asked.flag("names"), gold=asked.flag("gold"))
    parts = iter(leaving)
    first = next(parts, b"")  # what is wrong shows here, where it can still be answered as an error
    name = quote(f"{info.name}-{format}{leaving.format.suffix}", safe="", errors="replace")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return StreamingResponse(chain([first], parts), media_type=leaving.format.media_type, headers=headers)
