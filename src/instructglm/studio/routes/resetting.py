"""Choosing another password by a link. Its token stands behind the `#`, as an invitation's does (`joining.py`)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from instructglm.annotation.store.people import LONGEST_PASSWORD
from instructglm.annotation.store.resets import reset_password
from instructglm.annotation.store.sessions import start_session
from instructglm.annotation.store.tokens import token_hash
from instructglm.core.errors import DataError
from instructglm.studio.attempts import Attempts
from instructglm.studio.guard import ForEverybody, Opened
from instructglm.studio.pages import render
from instructglm.studio.routes.signing_in import with_session

router = APIRouter(route_class=ForEverybody)


@router.get("/reset")
def show(request: Request) -> Response:
    """The form."""
    return render(request, "reset.html", token="", faults=[], hint="")


@router.post("/reset")
def reset(
    request: Request,
    opened: Opened,
    token: Annotated[str, Form(max_length=200)],
    password: Annotated[str, Form(max_length=LONGEST_PASSWORD)],
) -> Response:
    """Have another password, and be signed in with it."""
    attempts: Attempts = request.app.state.attempts
    address = request.client.host if request.client else ""
    if (wait_s := attempts.begin(token_hash(token), address)) is not None:
        raise HTTPException(429, "too_many_attempts", {"Retry-After": str(wait_s)})
    try:
        person = reset_password(opened, token.strip(), password)
    except DataError as error:
        return render(request, "reset.html", status=400, token=token, faults=list(error.faults), hint=error.hint)
    attempts.succeeded(token_hash(token), address)
    return with_session(RedirectResponse("/", 303), request, start_session(opened, person))
