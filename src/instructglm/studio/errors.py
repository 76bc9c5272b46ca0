"""Errors as pages for people, and as JSON for scripts: what was found, and the next move; never a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from instructglm.core.errors import DataError, InstructGLMError, StorageError
from instructglm.studio.pages import render
from instructglm.studio.words import language_of, words_in

_CODES = {DataError: 400, StorageError: 503}


def add_handlers(app: FastAPI) -> None:
    """Let the application answer every error in the one way."""
    app.add_exception_handler(HTTPException, _refused)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _misshapen)  # type: ignore[arg-type]
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


def _told(request: Request, error: InstructGLMError) -> Response:
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), 400)
    return _answer(request, code, error.faults, error.hint)


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
