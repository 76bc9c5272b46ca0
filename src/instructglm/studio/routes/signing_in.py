"""Signing in and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from instructglm.annotation.store.people import LONGEST_PASSWORD, sign_in
from instructglm.annotation.store.sessions import IDLE_S, end_session, start_session
from instructglm.studio.attempts import begin_attempt
from instructglm.studio.guard import COOKIE, ForAnnotators, ForEverybody, Me, Opened
from instructglm.studio.pages import render

router = APIRouter(route_class=ForEverybody)
signed_in = APIRouter(route_class=ForAnnotators)


@router.get("/sign-in")
def show(request: Request, next: str = "/") -> Response:
    """The form."""
    if request.state.visitor is not None:
        return RedirectResponse(_inside(next), 303)
    return render(request, "sign_in.html", next=_inside(next), name="", failed=False)


@router.post("/sign-in")
def enter(
    request: Request,
    opened: Opened,
    name: Annotated[str, Form(max_length=200)],
    password: Annotated[str, Form(max_length=LONGEST_PASSWORD)],
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Sign in; after too many failures one has to wait."""
    succeeded = begin_attempt(request, name)
    person = sign_in(opened, name, password)
    if person is None:
        return render(request, "sign_in.html", status=401, next=_inside(next), name=name, failed=True)
    succeeded()
    return with_session(RedirectResponse(_inside(next), 303), request, start_session(opened, person.id))


@signed_in.post("/sign-out")
def leave(me: Me, opened: Opened) -> Response:
    """Sign out this browser."""
    end_session(opened, me.token)
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(COOKIE)
    return response


def with_session(response: Response, request: Request, token: str) -> Response:
    """An answer that lets the browser keep the session: no script can read it, no other site can use it."""
    is_https = request.app.state.options.is_https
    response.set_cookie(COOKIE, token, max_age=IDLE_S, httponly=True, samesite="lax", secure=is_https)
    return response


def _inside(path: str) -> str:
    """A path of ours: what leads to another site, whatever way it is spelled, leads home."""
    plain = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and path.isascii()
    return path if plain else "/"
