"""Choosing another password by a link. Its token stands behind the `#`, as an invitation's does (`joining.py`)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from instructglm.annotation.store.people import LONGEST_PASSWORD
from instructglm.annotation.store.resets import reset_password
from instructglm.annotation.store.sessions import start_session
from instructglm.annotation.store.tokens import token_hash
from instructglm.core.errors import DataError
from instructglm.studio.attempts import begin_attempt
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
    succeeded = begin_attempt(request, token_hash(token))
    try:
        person = reset_password(opened, token.strip(), password)
    except DataError as error:
        return render(request, "reset.html", status=400, token=token, faults=list(error.faults), hint=error.hint)
    succeeded()
    return with_session(RedirectResponse("/", 303), request, start_session(opened, person))
