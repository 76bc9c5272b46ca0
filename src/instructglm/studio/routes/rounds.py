"""Rounds: how far they are, opening one, and what can be done with the open one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from instructglm.annotation.queue.choosing import Choice, choose
from instructglm.annotation.queue.progress import round_progress
from instructglm.annotation.queue.rounds import (
    RoundPlan,
    add_new_instructions,
    close_round,
    count_new_instructions,
    list_rounds,
    need_more,
    open_round,
    plan_round,
)
from instructglm.annotation.store import Store
from instructglm.annotation.store.browsing import facets
from instructglm.annotation.store.people import list_people
from instructglm.annotation.store.projects import ProjectInfo
from instructglm.core.errors import DataError
from instructglm.studio.fields import Asked, Fields, Sent
from instructglm.studio.guard import ForAdmins, Me, Opened
from instructglm.studio.pages import render
from instructglm.studio.round_form import RoundForm, as_sent, read_choice, read_extra, read_round
from instructglm.studio.routes.home import ProjectId, project_of

router = APIRouter(route_class=ForAdmins)


@router.get("/projects/{project}/rounds")
def show(request: Request, opened: Opened, project: ProjectId, done: str = "") -> Response:
    """All rounds, and what the open one could get."""
    return _page(request, opened, project_of(opened, project), done=done)


def _page(request: Request, store: Store, info: ProjectInfo, *, status: int = 200, **told: Any) -> Response:
    progress = {one.round: one for one in round_progress(store, info.id)}
    rounds = [(one, progress[one.number]) for one in reversed(list_rounds(store, info.id))]
    values = {"done": "", "faults": [], "hint": "", **told}
    num_new = count_new_instructions(store, info.id)
    return render(request, "rounds.html", status=status, project=info, rounds=rounds, num_new=num_new, **values)


@router.get("/projects/{project}/rounds/new")
def plan(request: Request, opened: Opened, project: ProjectId, asked: Asked) -> Response:
    """The form of a new round; once it was filled in, with what opening it would do."""
    info = project_of(opened, project)
    if "which" not in asked:
        return _new(request, opened, info, asked)
    form = read_round(asked, info.settings.criteria)
    if asked.faults:
        return _new(request, opened, info, asked, status=400)
    try:
        return _new(request, opened, info, asked, plan=_plan(opened, project, form))
    except DataError:
        return _new(request, opened, info, asked, faults=["no_item"])


def _plan(store: Store, project: int, form: RoundForm) -> RoundPlan:
    chosen = _chosen(store, project, form.choice)
    return plan_round(store, project, instructions=chosen, share=form.share, annotators=form.annotators)


def _chosen(store: Store, project: int, choice: Choice) -> Sequence[int] | None:
    return None if choice == Choice() else choose(store, project, choice)


@router.post("/projects/{project}/rounds/new")
def open_one(request: Request, me: Me, opened: Opened, project: ProjectId, fields: Sent) -> Response:
    """Open a round as it was planned."""
    info = project_of(opened, project)
    form = read_round(fields, info.settings.criteria)
    if fields.faults:
        return _new(request, opened, info, fields, status=400)
    chosen = _chosen(opened, project, form.choice)
    shape = {"share": form.share, "annotators": form.annotators, "blind": form.blind, "delay_s": form.delay_s}
    try:
        open_round(opened, project, instructions=chosen, person=me.person.id, **shape)  # type: ignore[arg-type]
    except DataError:
        return _new(request, opened, info, fields, status=400, faults=["no_item"])
    return RedirectResponse(f"/projects/{project}/rounds?done=opened", 303)


def _new(
    request: Request, store: Store, info: ProjectInfo, fields: Fields, *, status: int = 200, **told: Any
) -> Response:
    values = {"plan": None, "faults": [], "hint": "", "wrong": fields.faults, **told}
    num_people = sum(not one.is_removed for one in list_people(store))
    values |= {"sent": as_sent(fields), "domains": facets(store, info.id).domain, "num_people": num_people}
    return render(request, "round_new.html", status=status, project=info, **values)


@router.post("/projects/{project}/rounds/close")
def close(me: Me, opened: Opened, project: ProjectId) -> Response:
    """Give out no more items of the open round."""
    project_of(opened, project)
    close_round(opened, project, person=me.person.id)
    return RedirectResponse(f"/projects/{project}/rounds?done=closed", 303)


@router.post("/projects/{project}/rounds/add")
def add(request: Request, me: Me, opened: Opened, project: ProjectId) -> Response:
    """Put what was imported since into the open round."""
    info = project_of(opened, project)
    try:
        add_new_instructions(opened, project, person=me.person.id)
    except DataError as error:
        return _page(request, opened, info, status=400, faults=list(error.faults), hint=error.hint)
    return RedirectResponse(f"/projects/{project}/rounds?done=added", 303)


@router.get("/projects/{project}/rounds/more")
def plan_more(request: Request, opened: Opened, project: ProjectId, asked: Asked) -> Response:
    """The form that asks for more annotators; once it was filled in, with what that would do."""
    info = project_of(opened, project)
    choice, extra = read_choice(asked, info.settings.criteria), read_extra(asked)
    if "which" not in asked or asked.faults:
        return _more(request, opened, info, asked, status=400 if asked.faults else 200)
    chosen = choose(opened, project, choice, of_open_round=True)
    return _more(request, opened, info, asked, plan=(len(chosen), len(chosen) * extra))


@router.post("/projects/{project}/rounds/more")
def ask_more(request: Request, me: Me, opened: Opened, project: ProjectId, fields: Sent) -> Response:
    """Let more people annotate the chosen items of the open round."""
    info = project_of(opened, project)
    choice, extra = read_choice(fields, info.settings.criteria), read_extra(fields)
    if fields.faults:
        return _more(request, opened, info, fields, status=400)
    chosen = choose(opened, project, choice, of_open_round=True)
    if not chosen:
        return _more(request, opened, info, fields, status=400, faults=["no_item"])
    try:
        need_more(opened, project, chosen, extra=extra, person=me.person.id)
    except DataError as error:
        return _more(request, opened, info, fields, status=400, faults=list(error.faults), hint=error.hint)
    return RedirectResponse(f"/projects/{project}/rounds?done=more", 303)


def _more(
    request: Request, store: Store, info: ProjectInfo, fields: Fields, *, status: int = 200, **told: Any
) -> Response:
    values = {"plan": None, "faults": [], "hint": "", "wrong": fields.faults, **told}
    values |= {"sent": as_sent(fields), "domains": facets(store, info.id).domain}
    return render(request, "round_more.html", status=status, project=info, **values)
