"""What a snapshot would hold, and the command that makes it where the store is."""

from __future__ import annotations

import shlex
from threading import Lock

from fastapi import APIRouter, Request
from starlette.responses import Response

from instructglm.annotation.snapshot.freeze import preview
from instructglm.annotation.snapshot.manifest import Summary
from instructglm.annotation.snapshot.options import Options
from instructglm.annotation.store import Store
from instructglm.annotation.store.tables import Role
from instructglm.studio.fields import Asked, Fields
from instructglm.studio.guard import ForReviewers, Me, Opened
from instructglm.studio.pages import render
from instructglm.studio.project_form import MOST_ANNOTATORS
from instructglm.studio.routes.home import ProjectId, project_of

router = APIRouter(route_class=ForReviewers)

_FLAGS = ("accept_imported", "with_gold")


@router.get("/projects/{project}/snapshot")
def show(request: Request, me: Me, opened: Opened, project: ProjectId, asked: Asked) -> Response:
    """The options with the command that they make; with `count`, what is in and what is left out, and why."""
    info, options = project_of(opened, project), _options(asked)
    is_counted = asked.flag("count") and not asked.faults
    summary = _counted(request, opened, project, options) if is_counted else None
    return render(
        request,
        "snapshot.html",
        status=422 if asked.faults else 200,
        project=info,
        options=options,
        wrong=asked.faults,
        summary=summary,
        is_busy=is_counted and summary is None,
        command=command(info.name, options, str(opened) if me.may(Role.ADMIN) else None),
        most_annotators=MOST_ANNOTATORS,
    )


def _options(asked: Fields) -> Options:
    """The options that were asked for; what is wrong stands in `asked.faults`."""
    by_default = Options()
    return Options(
        min_annotators=asked.whole("min_annotators", 1, MOST_ANNOTATORS, by_default.min_annotators),
        min_confidence=asked.number("min_confidence", 0, 1, by_default.min_confidence),
        min_rating=asked.number("min_rating", 0, 1, by_default.min_rating),
        accept_imported=asked.flag("accept_imported"),
        with_gold=asked.flag("with_gold"),
    )


def _counted(request: Request, store: Store, project: int, options: Options) -> Summary | None:
    """None: another count is under way."""
    turn: Lock = request.app.state.snapshot_turn
    if not turn.acquire(blocking=False):
        return None
    try:
        return preview(store, project, options)
    finally:
        turn.release()


def command(project: str, options: Options, store: str | None) -> str:
    """What to type in a terminal; what is as by default is not said, and `store` only where it is to be shown."""
    by_default, words = Options(), ["instructglm", "annotate", "snapshot"]
    for name in ("min_annotators", "min_confidence", "min_rating"):
        if (value := getattr(options, name)) != getattr(by_default, name):
            words += [_spelled(name), f"{value:.15g}"]
    words += [_spelled(name) for name in _FLAGS if getattr(options, name)]
    words += ["--store", store] if store else []
    return shlex.join([*words, *(["--"] if project.startswith("-") else []), project])


def _spelled(option: str) -> str:
    return "--" + option.replace("_", "-")
