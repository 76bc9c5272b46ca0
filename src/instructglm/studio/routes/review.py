"""Reviewing: what waits for a verdict, most disputed first, and one case after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from instructglm.annotation.queue.adjudicate import Case, open_case
from instructglm.annotation.queue.docket import Gist, Waiting, decided_cases, gists, num_decided, waiting_cases
from instructglm.annotation.queue.rounds import list_rounds
from instructglm.annotation.store import Store
from instructglm.annotation.store.tables.base import LARGEST_ID
from instructglm.core.errors import DataError
from instructglm.studio.callings import callings
from instructglm.studio.evidence import evidence_of, whole_of
from instructglm.studio.guard import ForReviewers, Me, Opened, Visitor
from instructglm.studio.pages import render
from instructglm.studio.routes.home import ProjectId, project_of
from instructglm.studio.standings import standings_of
from instructglm.studio.words import language_of, words_in

router = APIRouter(route_class=ForReviewers)

InstructionId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Domain = Annotated[str | None, Query(max_length=200)]
_MOST_SHOWN = 100
_CLIPPED = 160  # characters of a prompt in a list


class Order(NamedTuple):
    """What the order of cases rests on, as it was computed last."""

    splits: Mapping[int, float]
    flags: Mapping[int, list[str]]

    def place(self, instruction: int) -> tuple[bool, float, int]:
        """Set-aside cases last; else by how far people split, and where that is the same or not known, the oldest."""
        return instruction in self.flags, -self.splits.get(instruction, -1.0), instruction


class WaitingLine(NamedTuple):
    """A case in the list. `split` is None where it was not computed yet, or only one person answered."""

    instruction: int
    domain: str
    gist: str
    num_answers: int
    split: float | None
    is_flagged: bool


@router.get("/projects/{project}/review")
def show(request: Request, me: Me, opened: Opened, project: ProjectId, domain: Domain = None) -> Response:
    """What waits, and what was decided last."""
    info = project_of(opened, project)
    waiting, order = waiting_cases(opened, project), _order(request, project)
    chosen = sorted((one for one in waiting if domain in (None, one.domain)), key=lambda one: order.place(one[0]))
    decided = decided_cases(opened, project, most=_MOST_SHOWN, domain=domain)
    named = [*(one.instruction for one in chosen[:_MOST_SHOWN]), *(one.instruction for one in decided)]
    shown = gists(opened, named)
    lines = [_line(one, shown[one.instruction], order) for one in chosen[:_MOST_SHOWN]]
    return render(
        request,
        "review.html",
        project=info,
        lines=lines,
        domain=domain,
        domains=sorted(Counter(one.domain for one in waiting).items()),
        num_waiting=len(waiting),
        num_chosen=len(chosen),
        num_decided=num_decided(opened, project),
        decided=[(one, shown[one.instruction].text[:_CLIPPED]) for one in decided],
        call=callings(opened, me, words_in(language_of(request))),
        query=_query(domain),
    )


@router.get("/projects/{project}/review/next")
def following(
    request: Request,
    opened: Opened,
    project: ProjectId,
    domain: Domain = None,
    after: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
) -> Response:
    """On to the case after that one; to the list where there is none."""
    project_of(opened, project)
    return RedirectResponse(next_path(request, opened, project, domain, after), 303)


@router.get("/projects/{project}/review/{instruction}")
def case_page(
    request: Request,
    me: Me,
    opened: Opened,
    project: ProjectId,
    instruction: InstructionId,
    domain: Domain = None,
    since: Annotated[int | None, Query(ge=0, le=LARGEST_ID)] = None,
) -> Response:
    """One case with all that was said of it; what came after the event `since` is marked."""
    info = project_of(opened, project)
    case = case_of(opened, me, project, instruction, since)
    waiting = waiting_cases(opened, project)
    return render(
        request,
        "case.html",
        project=info,
        case=case,
        outputs=evidence_of(case, info.settings.criteria),
        whole=whole_of(case),
        flags=_order(request, project).flags.get(instruction, []),
        is_waiting=any(one.instruction == instruction for one in waiting),
        num_waiting=sum(domain in (None, one.domain) for one in waiting),
        has_round=any(one.is_open for one in list_rounds(opened, project)),
        data=_for_the_script(request, me, case, domain),
        query=_query(domain),
    )


def case_of(store: Store, me: Visitor, project: int, instruction: int, since: int | None = None) -> Case:
    """A case of this project.

    Raises:
        HTTPException: 404, there is none.
    """
    try:
        case = open_case(store, me.person.id, instruction, since=since)
    except DataError as error:
        raise HTTPException(404) from error
    if case.project != project:
        raise HTTPException(404)
    return case


def _line(one: Waiting, gist: Gist, order: Order) -> WaitingLine:
    split, is_flagged = order.splits.get(one.instruction), one.instruction in order.flags
    return WaitingLine(one.instruction, one.domain, gist.text[:_CLIPPED], gist.num_answers, split, is_flagged)


def next_path(request: Request, store: Store, project: int, domain: str | None, after: int) -> str:
    """Where the next case is: behind that one, else from the beginning; never that one itself."""
    order = _order(request, project, wait_s=0.0)
    cases = [one.instruction for one in waiting_cases(store, project) if domain in (None, one.domain)]
    others = sorted((one for one in cases if one != after), key=order.place)
    behind = [one for one in others if after and order.place(one) > order.place(after)]
    chosen = next(iter([*behind, *others]), None)
    place = f"/projects/{project}/review"
    return (place if chosen is None else f"{place}/{chosen}") + _query(domain)


def _order(request: Request, project: int, wait_s: float = 0.7) -> Order:
    standing = standings_of(request).ask(project, wait_s).standing
    flags: dict[int, list[str]] = {}
    for flag in standing.flags if standing else ():
        flags.setdefault(flag.instruction, []).append(flag.reason)
    return Order(standing.splits if standing else {}, flags)


def _query(domain: str | None) -> str:
    return "" if domain is None else "?" + urlencode({"domain": domain})


def _for_the_script(request: Request, me: Visitor, case: Case, domain: str | None) -> dict[str, Any]:
    """What the page's script has to know, its words among it."""
    return {
        "project": case.project,
        "instruction": case.instruction,
        "revision": case.revision,
        "seen_event": case.seen_event,
        "person": me.person.id,
        "domain": domain,
        "words": words_in(language_of(request)).under("case.say."),
    }
