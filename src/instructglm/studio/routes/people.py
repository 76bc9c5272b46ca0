"""People: who is here, who is invited, and what each may do."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Path, Request
from starlette.responses import RedirectResponse, Response

from instructglm.annotation.queue.leases import leases_held, remove_person
from instructglm.annotation.store import Store
from instructglm.annotation.store.invitations import invite
from instructglm.annotation.store.members import Member, list_members, open_invitations, revoke_by_id
from instructglm.annotation.store.people import change_role
from instructglm.annotation.store.resets import offer_reset
from instructglm.annotation.store.tables import Role
from instructglm.annotation.store.tables.base import LARGEST_ID
from instructglm.core.errors import DataError
from instructglm.studio.guard import ForAdmins, Me, Opened
from instructglm.studio.links import link
from instructglm.studio.pages import render

router = APIRouter(route_class=ForAdmins)

PersonId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
_DAYS = (1, 7, 30)
_A_DAY_S = 24 * 3600.0


@router.get("/people")
def show(request: Request, opened: Opened, done: str = "") -> Response:
    """Everybody, and the links that can still be followed."""
    return _page(request, opened, done=done)


def _page(request: Request, store: Store, *, status: int = 200, **told: Any) -> Response:
    members = list_members(store)
    admins = [one.id for one in members if one.role == Role.ADMIN and one.can_sign_in]
    values = {"link": None, "link_for": None, "role": None, "days": 7, "done": "", "faults": [], "hint": "", **told}
    return render(
        request,
        "people.html",
        status=status,
        members=[one for one in members if one.removed_ms is None],
        removed=[one for one in members if one.removed_ms is not None],
        invitations=open_invitations(store),
        last_admin=admins[0] if len(admins) == 1 else None,
        roles=tuple(Role),
        day_choices=_DAYS,
        **values,
    )


@router.post("/people/invitations")
def make_invitation(
    request: Request, me: Me, opened: Opened, role: Annotated[Role, Form()], days: Annotated[int, Form(ge=1, le=30)]
) -> Response:
    """A link for somebody new. It is shown on this page alone."""
    token = invite(opened, role, by=me.person.id, valid_s=days * _A_DAY_S)
    return _page(request, opened, link=link(request, "join", token), role=role, days=days)


@router.post("/people/invitations/{invitation}/revoke")
def revoke(request: Request, me: Me, opened: Opened, invitation: PersonId) -> Response:
    """Let a link let nobody in any more."""
    try:
        revoke_by_id(opened, invitation, by=me.person.id)
    except DataError as error:
        return _page(request, opened, status=400, faults=list(error.faults), hint=error.hint)
    return RedirectResponse("/people?done=revoked", 303)


@router.post("/people/{person}/role")
def put_role(request: Request, me: Me, opened: Opened, person: PersonId, role: Annotated[Role, Form()]) -> Response:
    """Let somebody do more or less."""
    _member(opened, person)
    try:
        change_role(opened, person, role, by=me.person.id)
    except DataError as error:
        return _page(request, opened, status=400, faults=list(error.faults), hint=error.hint)
    still_admin = person != me.person.id or role == Role.ADMIN
    return RedirectResponse("/people?done=role" if still_admin else "/", 303)


@router.post("/people/{person}/reset")
def reset(request: Request, me: Me, opened: Opened, person: PersonId) -> Response:
    """A link with which somebody chooses another password. It is shown on this page alone."""
    member = _member(opened, person)
    token = offer_reset(opened, person, by=me.person.id, valid_s=_A_DAY_S)
    return _page(request, opened, link=link(request, "reset", token), link_for=member.name)


@router.get("/people/{person}/remove")
def ask_to_remove(request: Request, opened: Opened, person: PersonId) -> Response:
    """What removing somebody would do."""
    return _removal(request, opened, _member(opened, person))


@router.post("/people/{person}/remove")
def remove(request: Request, me: Me, opened: Opened, person: PersonId) -> Response:
    """Let somebody in no more."""
    member = _member(opened, person)
    try:
        remove_person(opened, person, by=me.person.id)
    except DataError as error:
        return _removal(request, opened, member, status=400, faults=list(error.faults), hint=error.hint)
    return RedirectResponse("/people?done=removed", 303)


def _removal(request: Request, store: Store, member: Member, *, status: int = 200, **told: Any) -> Response:
    values = {"faults": [], "hint": "", **told}
    num_leases = leases_held(store).get(member.id, 0)
    return render(request, "person_remove.html", status=status, member=member, num_leases=num_leases, **values)


def _member(store: Store, person: int) -> Member:
    """Somebody who is here.

    Raises:
        HTTPException: 404, there is nobody of this id, or they were removed.
    """
    for one in list_members(store):
        if one.id == person and one.removed_ms is None:
            return one
    raise HTTPException(404)
