"""The door of every route: who may pass, and whether it is really they who ask.

A router is made with the class of its routes, and so nothing of it is read, not
even the body, before the door:

    router = APIRouter(route_class=FOR[Role.REVIEWER])

What changes something has to come from a page of ours: browsers tell from where
a request comes, and it carries a token that only our pages hold.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from instructglm.annotation.store import Store
from instructglm.annotation.store.people import PersonInfo
from instructglm.annotation.store.sessions import whose_session
from instructglm.annotation.store.tables import Role

COOKIE = "instructglm_session"
MAX_FIELD_BYTES = 16 * 2**20
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_RANK = {Role.ANNOTATOR: 0, Role.REVIEWER: 1, Role.ADMIN: 2}

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Visitor(NamedTuple):
    """Somebody who is signed in, and the token of their session."""

    person: PersonInfo
    token: str

    @property
    def csrf(self) -> str:
        """What a page sends back to show that it is ours: only who knows the session's token can make it."""
        return hmac.new(self.token.encode(), b"csrf", hashlib.sha256).hexdigest()

    def may(self, role: Role) -> bool:
        return _RANK[self.person.role] >= _RANK[role]


class Guarded(APIRoute):
    """A route behind the door. `role` is the least that one has to be; None: it is for everybody."""

    role: ClassVar[Role | None] = Role.ADMIN

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            visitor = await run_in_threadpool(_visitor, request)
            request.state.visitor = visitor
            _see_role(visitor, self.role)
            if request.method not in _SAFE:
                _see_origin(request)
                await _see_token(request, visitor if self.role else None)
            return await handle(request)

        return guarded


class ForEverybody(Guarded):
    """Signing in, and what comes before it."""

    role = None


class ForAnnotators(Guarded):
    """Everybody who is signed in."""

    role = Role.ANNOTATOR


class ForReviewers(Guarded):
    """Reviewers and admins."""

    role = Role.REVIEWER


class ForAdmins(Guarded):
    """Admins alone."""

    role = Role.ADMIN


def _visitor(request: Request) -> Visitor | None:
    token = request.cookies.get(COOKIE, "")
    person = whose_session(request.app.state.store, token) if token else None
    return None if person is None else Visitor(person, token)


def _see_role(visitor: Visitor | None, role: Role | None) -> None:
    if role is None:
        return
    if visitor is None:
        raise HTTPException(401, "not_signed_in")
    if not visitor.may(role):
        raise HTTPException(403, "not_your_role")


def _see_origin(request: Request) -> None:
    """Old browsers say less: what is not said is left to the token and to the cookie's SameSite."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    foreign = site not in (None, "same-origin", "none")
    if foreign or (origin is not None and urlsplit(origin).netloc != request.headers.get("host")):
        raise HTTPException(403, "foreign_origin")


async def _see_token(request: Request, visitor: Visitor | None) -> None:
    if visitor is None:
        return
    sent = request.headers.get("x-csrf-token")
    if sent is None and _is_form(request):
        field = (await request.form(max_part_size=MAX_FIELD_BYTES)).get("csrf")
        sent = field if isinstance(field, str) else None
    if not hmac.compare_digest((sent or "").encode(), visitor.csrf.encode()):
        raise HTTPException(403, "stale_page")


def _is_form(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in ("multipart/form-data", "application/x-www-form-urlencoded")


def store_of(request: Request) -> Store:
    """The store that the application was made with."""
    opened: Store = request.app.state.store
    return opened


def visitor_of(request: Request) -> Visitor:
    """Who asks, behind a door for those who are signed in."""
    visitor: Visitor = request.state.visitor
    return visitor


Opened = Annotated[Store, Depends(store_of)]
Me = Annotated[Visitor, Depends(visitor_of)]
FOR: Mapping[Role, type[Guarded]] = {
    Role.ANNOTATOR: ForAnnotators,
    Role.REVIEWER: ForReviewers,
    Role.ADMIN: ForAdmins,
}
