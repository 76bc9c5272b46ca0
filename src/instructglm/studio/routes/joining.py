"""Joining by an invitation.

Its token stands behind the `#` of the link, which browsers send to nobody: so it
is in no server's log.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from instructglm.annotation.store.invitations import accept_invitation
from instructglm.annotation.store.people import LONGEST_PASSWORD
from instructglm.annotation.store.sessions import start_session
from instructglm.annotation.store.tokens import token_hash
from instructglm.core.errors import DataError
from instructglm.studio.attempts import begin_attempt
from instructglm.studio.guard import ForEverybody, Opened
from instructglm.studio.pages import render
from instructglm.studio.routes.signing_in import with_session

router = APIRouter(route_class=ForEverybody)


@router.get("/join")
def show(request: Request) -> Response:
    """The form."""
    return render(request, "join.html", token="", name="", faults=[], hint="")


@router.post("/join")
def join(
    request: Request,
    opened: Opened,
    token: Annotated[str, Form(max_length=200)],
    name: Annotated[str, Form(max_length=200)],
    password: Annotated[str, Form(max_length=LONGEST_PASSWORD)],
) -> Response:
    """Become somebody, and be signed in."""
    succeeded = begin_attempt(request, token_hash(token))
    try:
        person = accept_invitation(opened, token.strip(), name, password)
    except DataError as error:
        told: dict[str, Any] = {"token": token, "name": name, "faults": list(error.faults)}
        return render(request, "join.html", status=400, hint=error.hint, **told)
    succeeded()
    return with_session(RedirectResponse("/", 303), request, start_session(opened, person))
