"""The instructions of a project: looking through them, and what can be done with one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from instructglm.annotation.exchange import FORMATS
from instructglm.annotation.queue.gold import Gold, add_gold, gold_of
from instructglm.annotation.queue.rounds import need_more
from instructglm.annotation.store import Store
from instructglm.annotation.store.browsing import Facets, Search, Standing, facets, find_instructions
from instructglm.annotation.store.one_instruction import SeenInstruction, see_instruction
from instructglm.annotation.store.tables.base import LARGEST_ID
from instructglm.annotation.store.withdrawing import withdraw_instructions, withdraw_outputs
from instructglm.core.errors import DataError
from instructglm.studio.fields import Asked, Fields, Sent
from instructglm.studio.guard import ForAdmins, Me, Opened
from instructglm.studio.pages import render
from instructglm.studio.routes.home import ProjectId, project_of

router = APIRouter(route_class=ForAdmins)

_ANY = "*"  # in a field of the search; an empty one means instructions without this value
_FARTHEST = 1e6  # a gold value


@router.get("/projects/{project}/items")
def browse(request: Request, opened: Opened, project: ProjectId, asked: Asked) -> Response:
    """Instructions, a page at a time."""
    info, search = project_of(opened, project), _search(asked)
    found = find_instructions(opened, project, search, after=asked.whole("after", 0, LARGEST_ID, default=0))
    sought = [(name, asked.text(name)) for name in (*Facets.model_fields, "standing", "text") if name in asked]
    following = urlencode([*sought, ("after", found.next)], errors="replace") if found.next is not None else ""
    values: dict[str, Any] = {
        "facets": facets(opened, project),
        "search": search,
        "found": found,
        "following": following,
    }
    values |= {"formats": tuple(FORMATS), "standings": get_args(Standing), "is_first": "after" not in asked}
    return render(request, "items.html", project=info, **values)


def _search(asked: Fields) -> Search:
    known = {name: asked.text(name, _ANY) for name in Facets.model_fields}
    standing = asked.text("standing")
    return Search(
        **{name: None if value == _ANY else value for name, value in known.items()},
        standing=standing if standing in get_args(Standing) else "in use",
        text=asked.short("text", needed=False),
    )


@router.get("/projects/{project}/items/{instruction}")
def show(request: Request, opened: Opened, project: ProjectId, instruction: ProjectId, done: str = "") -> Response:
    """One instruction, with its outputs and where they come from."""
    return _page(request, opened, project, instruction, done=done)


def _page(
    request: Request, store: Store, project: int, instruction: int, *, status: int = 200, **told: Any
) -> Response:
    info, seen = project_of(store, project), _seen(store, project, instruction)
    values = {"done": "", "faults": [], "hint": "", "wrong": {}, **told}
    gold = gold_of(store, instruction)
    return render(request, "item.html", status=status, project=info, item=seen, gold=gold, **values)


def _seen(store: Store, project: int, instruction: int) -> SeenInstruction:
    found = see_instruction(store, project, instruction)
    if found is None:
        raise HTTPException(404)
    return found


@router.post("/projects/{project}/items/{instruction}/withdraw")
def withdraw(
    request: Request, me: Me, opened: Opened, project: ProjectId, instruction: ProjectId, fields: Sent
) -> Response:
    """Give an instruction to nobody any more."""
    seen, reason = _seen(opened, project, instruction), fields.short("reason")

    def change() -> None:
        if seen.gone is None:
            withdraw_instructions(opened, project, [instruction], reason, person=me.person.id)

    return _changed(request, opened, project, instruction, fields, change, "withdrawn")


@router.post("/projects/{project}/items/{instruction}/outputs/{output}/withdraw")
def withdraw_output(
    request: Request,
    me: Me,
    opened: Opened,
    project: ProjectId,
    instruction: ProjectId,
    output: ProjectId,
    fields: Sent,
) -> Response:
    """Show an output to nobody any more."""
    standing = {one.id: one.gone for one in _seen(opened, project, instruction).outputs}
    if output not in standing:
        raise HTTPException(404)
    reason = fields.short("reason")

    def change() -> None:
        if standing[output] is None:
            withdraw_outputs(opened, project, [output], reason, person=me.person.id)

    return _changed(request, opened, project, instruction, fields, change, "output_withdrawn")


@router.post("/projects/{project}/items/{instruction}/gold")
def tell_gold(
    request: Request, me: Me, opened: Opened, project: ProjectId, instruction: ProjectId, fields: Sent
) -> Response:
    """Tell the known answer of an instruction."""
    _seen(opened, project, instruction)
    answer = _gold(instruction, fields)

    def change() -> None:
        add_gold(opened, project, [answer], person=me.person.id)

    return _changed(request, opened, project, instruction, fields, change, "gold")


def _gold(instruction: int, fields: Fields) -> Gold:
    """A label, where one was sent, else a rating."""
    if "label" in fields:
        return Gold(instruction=instruction, label=fields.text("label"))
    return Gold(
        instruction=instruction,
        output=fields.whole("output", 1, LARGEST_ID),
        criterion=fields.text("criterion"),
        value=fields.number("value", -_FARTHEST, _FARTHEST),
        tolerance=fields.number("tolerance", 0, _FARTHEST, default=0),
    )


@router.post("/projects/{project}/items/{instruction}/more")
def ask_one_more(
    request: Request, me: Me, opened: Opened, project: ProjectId, instruction: ProjectId, fields: Sent
) -> Response:
    """Let one more person annotate an item of the open round."""
    _seen(opened, project, instruction)

    def change() -> None:
        need_more(opened, project, [instruction], person=me.person.id)

    return _changed(request, opened, project, instruction, fields, change, "more")


def _changed(
    request: Request,
    store: Store,
    project: int,
    instruction: int,
    fields: Fields,
    change: Callable[[], None],
    done: str,
) -> Response:
    """Make a change where the form is whole, and tell what came of it."""
    if fields.faults:
        return _page(request, store, project, instruction, status=400, wrong=fields.faults)
    try:
        change()
    except DataError as error:
        return _page(request, store, project, instruction, status=400, faults=list(error.faults), hint=error.hint)
    return RedirectResponse(f"/projects/{project}/items/{instruction}?done={done}", 303)
