"""One's own account."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from instructglm.annotation.store.people import LONGEST_PASSWORD, set_password, sign_in
from instructglm.annotation.store.sessions import start_session
from instructglm.core.errors import DataError
from instructglm.studio.attempts import begin_attempt
from instructglm.studio.guard import ForAnnotators, Me, Opened
from instructglm.studio.pages import render
from instructglm.studio.routes.signing_in import with_session

router = APIRouter(route_class=ForAnnotators)

Password = Annotated[str, Form(max_length=LONGEST_PASSWORD)]


@router.get("/account")
def show(request: Request) -> Response:
    """Name, role, and a form for another password."""
    return render(request, "account.html", faults=[], hint="", done=False)


@router.post("/account/password")
def change_password(request: Request, me: Me, opened: Opened, old: Password, new: Password) -> Response:
    """Change one's password; all other browsers are signed out."""
    succeeded = begin_attempt(request, me.person.name)
    if sign_in(opened, me.person.name, old) is None:
        return render(request, "account.html", status=400, faults=["wrong_password"], hint="", done=False)
    succeeded()
    try:
        set_password(opened, me.person.id, new, by=me.person.id)
    except DataError as error:
        return render(request, "account.html", status=400, faults=list(error.faults), hint=error.hint, done=False)
    response = render(request, "account.html", faults=[], hint="", done=True)
    return with_session(response, request, start_session(opened, me.person.id))
