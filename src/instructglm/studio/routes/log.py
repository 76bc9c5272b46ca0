"""The log: what happened, its end to note down, and going through it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from instructglm.annotation.store import Store
from instructglm.annotation.store.chain import head, read_head
from instructglm.annotation.store.events import EventInfo, newest_events
from instructglm.annotation.store.tables.base import LARGEST_ID
from instructglm.core.errors import DataError
from instructglm.studio.checking import LogChecks
from instructglm.studio.fields import Asked, Sent
from instructglm.studio.guard import ForAdmins, Opened
from instructglm.studio.pages import render
from instructglm.studio.words import Words, language_of, words_in

router = APIRouter(route_class=ForAdmins)

_AT_ONCE = 50
_SHOWN = 80  # characters of a figure


@router.get("/log")
def show(request: Request, opened: Opened, asked: Asked) -> Response:
    """The newest events, or those before one."""
    return _page(request, opened, before=asked.whole("before", 1, LARGEST_ID, default=LARGEST_ID))


def _page(request: Request, store: Store, *, before: int = LARGEST_ID, status: int = 200, **told: Any) -> Response:
    words = words_in(language_of(request))
    events = newest_events(store, before=before, limit=_AT_ONCE)
    with store.read() as connection:
        end = head(connection)
    checks: LogChecks = request.app.state.log_checks
    values = {"faults": [], "hint": "", "kept": "", **told}
    return render(
        request,
        "log.html",
        status=status,
        events=[(event, _sentence(words, event)) for event in events],
        following=events[-1].number if len(events) == _AT_ONCE and events[-1].number > 1 else None,
        head=end.spelled(),
        check=checks.last,
        **values,
    )


def _sentence(words: Words, event: EventInfo) -> str:
    """An event in words; of a kind that has none yet, its own name."""
    key = f"log.{event.kind.replace(' ', '_')}"
    if not words.has(key):
        return event.kind
    figures = {name: _short(words, value) for name, value in event.body.items()}
    return words(key).format_map(_Figures({**figures, "about": event.about or "?"}))


class _Figures(dict[str, str]):
    """Figures of an event; one that an older event does not tell is a question mark."""

    def __missing__(self, name: str) -> str:
        return "?"


def _short(words: Words, value: object) -> str:
    if isinstance(value, list):
        return str(len(value))
    text = words(f"role.{value}") if words.has(f"role.{value}") else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


@router.post("/log/verify")
def start(request: Request, opened: Opened, fields: Sent) -> Response:
    """Go through the log in the background; with a head that was noted down, also what was cut off is found."""
    kept = fields.text("head").strip()
    try:
        noted = read_head(kept) if kept else None
    except DataError as error:
        return _page(request, opened, status=400, faults=list(error.faults), kept=kept[:200])
    checks: LogChecks = request.app.state.log_checks
    checks.start(noted)
    return RedirectResponse("/log#check", 303)


@router.get("/api/log/verify")
def state(request: Request) -> Response:
    """Whether a check goes on."""
    checks: LogChecks = request.app.state.log_checks
    return JSONResponse({"is_running": checks.last is not None and checks.last.is_running})
