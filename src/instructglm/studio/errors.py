"""Errors as pages for people, and as JSON for scripts: what was found, and the next move; never a traceback."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from tempfile import gettempdir
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from instructglm.annotation.store.tables import Role
from instructglm.core.errors import InstructGLMError, StorageError
from instructglm.studio.guard import Visitor
from instructglm.studio.pages import render
from instructglm.studio.words import language_of, words_in

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def add_handlers(app: FastAPI) -> None:
    """Let the application answer every error in the one way."""
    app.add_exception_handler(HTTPException, _refused)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _misshapen)  # type: ignore[arg-type]
    app.add_exception_handler(StorageError, _stored_not)  # type: ignore[arg-type]
    app.add_exception_handler(OSError, _disk)  # type: ignore[arg-type]
    app.add_exception_handler(InstructGLMError, _told)  # type: ignore[arg-type]
    app.add_exception_handler(Exception, _ours)


def _refused(request: Request, error: HTTPException) -> Response:
    if error.status_code == 401 and not _wants_json(request):
        back = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
        return RedirectResponse(f"/sign-in?next={quote(back)}" if request.method == "GET" else "/sign-in", 303)
    words = words_in(language_of(request))
    known = words.has(f"refused.{error.detail}")
    key = f"refused.{error.detail}" if known else f"refused.{error.status_code}"
    fault = words(key) if words.has(key) else str(error.detail)
    return _answer(request, error.status_code, [fault], headers=dict(error.headers or {}))


def _misshapen(request: Request, error: RequestValidationError) -> Response:
    faults = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    return _answer(request, 422, faults)


def _stored_not(request: Request, error: StorageError) -> Response:
    """What the database refuses. Where it lies and who its user is, is for admins and for the server's own output."""
    print(f"Error: {error}", file=sys.stderr, flush=True)
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    if visitor is not None and visitor.may(Role.ADMIN):
        return _answer(request, 503, error.faults, error.hint)
    return _answer(request, 503, [words_in(language_of(request))("refused.503")], error.hint)


def _disk(request: Request, error: OSError) -> Response:
    """No room for a file that was sent; anything else is a mistake of ours."""
    if error.errno not in _NO_ROOM:
        raise error
    found = f"{gettempdir()}: no room for what was sent: {error.strerror}"
    return _stored_not(request, StorageError(found, hint="Free some space there, then send it again."))


def _told(request: Request, error: InstructGLMError) -> Response:
    return _answer(request, 400, error.faults, error.hint)


def _ours(request: Request, error: Exception) -> Response:
    """A bug of ours: its traceback is in the server's own output, not in the answer."""
    return _answer(request, 500, [words_in(language_of(request))("refused.500")])


def _answer(
    request: Request, code: int, faults: Sequence[str], hint: str = "", headers: dict[str, str] | None = None
) -> Response:
    if _wants_json(request):
        error = {"faults": [_whole(fault) for fault in faults], "hint": hint}
        return JSONResponse({"error": error}, code, headers)
    return render(request, "error.html", code=code, faults=list(faults), hint=hint, status=code, headers=headers)


def _wants_json(request: Request) -> bool:
    return request.url.path.startswith("/api/")


def _whole(text: str) -> str:
    """A half character in what was sent is no UTF-8, and would be an error in telling the error."""
    return text.encode(errors="backslashreplace").decode()
