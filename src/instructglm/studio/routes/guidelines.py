"""Writing the next version of a guideline, and what changed from one to another."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any, Literal, NamedTuple

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from instructglm.annotation.store import Store
from instructglm.annotation.store.projects import ProjectInfo, add_guideline, list_guidelines, read_guideline
from instructglm.annotation.store.tables.base import LARGEST_ID
from instructglm.core.errors import DataError
from instructglm.studio.fields import Asked, Sent
from instructglm.studio.guard import ForAdmins, Me, Opened
from instructglm.studio.pages import render
from instructglm.studio.routes.home import ProjectId, project_of

router = APIRouter(route_class=ForAdmins)

LONGEST_GUIDELINE = 500_000
_MOST_COMPARED = 5_000  # lines of a version: more would take seconds


class DiffLine(NamedTuple):
    """A line of two versions: in both, only in the old one, or only in the new one."""

    kind: Literal["same", "old", "new"]
    text: str


@router.get("/projects/{project}/settings/guideline")
def edit(request: Request, opened: Opened, project: ProjectId) -> Response:
    """The newest version, to be written on."""
    info = project_of(opened, project)
    return _editor(request, opened, info, text=read_guideline(opened, project) or "")


@router.post("/projects/{project}/settings/guideline")
def store_version(request: Request, me: Me, opened: Opened, project: ProjectId, fields: Sent) -> Response:
    """Store what was written as the next version; what others wrote meanwhile is not written over."""
    info = project_of(opened, project)
    text, based_on = fields.text("text").replace("\r\n", "\n"), fields.whole("based_on", 0, LARGEST_ID)
    if not text.strip():
        fields.wrong("text", "fault.empty")
    if len(text) > LONGEST_GUIDELINE:
        fields.wrong("text", "fault.long", most=LONGEST_GUIDELINE)
    if fields.faults:
        return _editor(request, opened, info, status=400, text=text[:LONGEST_GUIDELINE], wrong=fields.faults)
    if text == read_guideline(opened, project):
        return RedirectResponse(f"/projects/{project}/settings?done=same", 303)
    try:
        add_guideline(opened, project, text, based_on=based_on, person=me.person.id)
    except DataError:
        newest = read_guideline(opened, project) or ""
        return _editor(request, opened, info, status=409, text=text, overtaken=compared(newest, text))
    return RedirectResponse(f"/projects/{project}/settings?done=guideline", 303)


def _editor(request: Request, store: Store, info: ProjectInfo, *, status: int = 200, **told: Any) -> Response:
    versions = list_guidelines(store, info.id)
    based_on = versions[0].version if versions else 0
    values = {"wrong": {}, "overtaken": None, **told}
    return render(request, "guideline_edit.html", status=status, project=info, based_on=based_on, **values)


@router.get("/projects/{project}/settings/guideline/{version}")
def compare(request: Request, opened: Opened, project: ProjectId, version: ProjectId, asked: Asked) -> Response:
    """A version, and what it changed in the one before or in another one (`against`; 0: show it whole)."""
    info = project_of(opened, project)
    against = asked.whole("against", 0, LARGEST_ID, default=version - 1)
    text = read_guideline(opened, project, version)
    before = read_guideline(opened, project, against) if against else ""
    if text is None or before is None or asked.faults:
        raise HTTPException(404)
    versions = [one.version for one in list_guidelines(opened, project)]
    lines = compared(before, text) if against else [DiffLine("same", line) for line in text.split("\n")]
    values: dict[str, Any] = {"version": version, "against": against, "versions": versions, "lines": lines}
    return render(request, "guideline_version.html", project=info, **values)


def compared(before: str, after: str) -> list[DiffLine]:
    """Two texts line by line; of those too long to compare, all lines of both."""
    old, new = before.split("\n"), after.split("\n")
    if max(len(old), len(new)) > _MOST_COMPARED:
        return [*(DiffLine("old", line) for line in old), *(DiffLine("new", line) for line in new)]
    return list(_steps(old, new))


def _steps(old: list[str], new: list[str]) -> Iterator[DiffLine]:
    for step, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if step == "equal":
            yield from (DiffLine("same", line) for line in old[a:b])
        else:
            yield from (DiffLine("old", line) for line in old[a:b])
            yield from (DiffLine("new", line) for line in new[c:d])
