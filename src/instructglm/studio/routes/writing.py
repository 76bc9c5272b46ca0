"""Writing an instruction, and seeing while one types which there are that say nearly the same."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import RedirectResponse, Response

from instructglm.annotation.store.browsing import facets
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.projects import ProjectInfo
from instructglm.core.errors import DataError
from instructglm.core.records import Record
from instructglm.studio.fields import Fields, Sent
from instructglm.studio.guard import ForAdmins, Me, Opened
from instructglm.studio.likeness import Likeness
from instructglm.studio.pages import render
from instructglm.studio.routes.home import ProjectId, project_of

router = APIRouter(route_class=ForAdmins)

_KNOWN_VALUES = ("domain", "complexity", "language")
_TOLD = (*_KNOWN_VALUES, "source", "licence")
_LONGEST = 1_000_000  # characters of an instruction
_SHOWN = 300  # characters of one that is alike


class Typed(Record):
    """What somebody has typed so far."""

    text: str = Field(max_length=_LONGEST)


class Alike(Record):
    """An instruction that says nearly the same; `similarity` is the share of their trigrams that both have."""

    instruction: int
    similarity: float
    text: str


@router.post("/api/projects/{project}/alike")
def alike(request: Request, opened: Opened, project: ProjectId, typed: Typed) -> tuple[Alike, ...]:
    """The instructions of the project that are most like a text, at most five."""
    project_of(opened, project)
    likeness: Likeness = request.app.state.likeness
    found = likeness.nearest(project, typed.text)
    return tuple(Alike(instruction=one.instruction, similarity=one.similarity, text=one.text[:_SHOWN]) for one in found)


@router.get("/projects/{project}/write")
def show(request: Request, opened: Opened, project: ProjectId, done: str = "") -> Response:
    """The form."""
    return _form(request, opened, project_of(opened, project), done=done)


def _form(request: Request, opened: Opened, info: ProjectInfo, *, status: int = 200, **told: Any) -> Response:
    held = dict.fromkeys(("instruction", "choices", *_TOLD), "")
    values = {"held": held, "wrong": {}, "faults": [], "hint": "", "done": "", **told}
    known = facets(opened, info.id)
    return render(request, "write.html", status=status, project=info, facets=known, told=_TOLD, **values)


@router.post("/projects/{project}/write")
def store(request: Request, me: Me, opened: Opened, project: ProjectId, fields: Sent) -> Response:
    """Store one instruction; one that is there already stays as it is."""
    info, record = project_of(opened, project), _record(fields)
    held = {name: fields.text(name) for name in ("instruction", "choices", *_TOLD)}
    if fields.faults:
        return _form(request, opened, info, status=400, held=held, wrong=fields.faults)
    try:
        stored = import_records(opened, project, [("instruction", record)], person=me.person.id)
    except DataError as error:
        return _form(request, opened, info, status=400, held=held, faults=list(error.faults))
    done = "stored" if stored.num_instructions else "known"
    return RedirectResponse(f"/projects/{project}/write?done={done}", 303)


def _record(fields: Fields) -> dict[str, Any]:
    text = fields.text("instruction").replace("\r\n", "\n")  # a form sends line ends so
    if not text.strip():
        fields.wrong("instruction", "fault.empty")
    if len(text) > _LONGEST:
        fields.wrong("instruction", "fault.long", most=_LONGEST)
    choices = [line.strip() for line in fields.text("choices").splitlines() if line.strip()]
    return {"instruction": text, "choices": choices} | {name: fields.short(name, needed=False) for name in _TOLD}
