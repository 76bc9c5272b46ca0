"""What a reviewer's script sends and asks: the verdict, one more annotator, what all answers together say."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from instructglm.annotation.queue.adjudicate import Overtaken, Seen, Verdict, decide
from instructglm.annotation.queue.answers import Edit
from instructglm.annotation.queue.flags import flag_case
from instructglm.annotation.queue.rounds import need_more
from instructglm.annotation.store.tables.base import LARGEST_ID
from instructglm.core.errors import DataError
from instructglm.studio.evidence import opinions_of
from instructglm.studio.guard import ForReviewers, Me, Opened
from instructglm.studio.routes.home import ProjectId, project_of
from instructglm.studio.routes.review import Domain, InstructionId, case_of, next_path
from instructglm.studio.standings import standings_of

router = APIRouter(route_class=ForReviewers)

_LONGEST_REASON, _LONGEST_TEXT, _MOST = 20_000, 2_000_000, 500
Number = Annotated[int, Field(ge=0, le=LARGEST_ID)]
Text = Annotated[str, Field(min_length=1, max_length=_LONGEST_TEXT)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EditBody(_Body):
    """An output made better."""

    output: Number
    text: Text


class VerdictBody(_Body):
    """A verdict, and the state of the case on which it rests."""

    revision: Number
    seen_event: Number
    key: str = Field(min_length=1, max_length=100, pattern="^[!-~]+$")
    accepted: list[Number] = Field(default_factory=list, max_length=_MOST)
    label: str | None = Field(None, max_length=_LONGEST_REASON)
    reason: str = Field(min_length=1, max_length=_LONGEST_REASON)
    written: list[Text] = Field(default_factory=list, max_length=_MOST)
    edits: list[EditBody] = Field(default_factory=list, max_length=_MOST)

    def verdict(self) -> Verdict:
        """What is decided.

        Raises:
            DataError: it says one thing twice, or something is empty.
        """
        said = self.model_dump(include={"accepted", "label", "reason", "written"})
        try:
            return Verdict(edits=tuple(Edit(**edit.model_dump()) for edit in self.edits), **said)
        except ValueError as error:  # pydantic's is one
            raise DataError(*_told(error), hint="Nothing was stored.") from error


def _told(error: ValueError) -> list[str]:
    faults = getattr(error, "errors", lambda: [{"msg": str(error)}])()
    return [str(fault["msg"]).removeprefix("Value error, ") for fault in faults]


@router.post("/api/projects/{project}/cases/{instruction}/verdict")
def give_verdict(
    request: Request,
    me: Me,
    opened: Opened,
    project: ProjectId,
    instruction: InstructionId,
    body: VerdictBody,
    domain: Domain = None,
) -> Response:
    """Store the verdict and tell where the next case is; 409 with both where somebody was faster."""
    case_of(opened, me, project, instruction)
    seen = Seen(instruction=instruction, revision=body.revision, seen_event=body.seen_event)
    done = decide(opened, me.person.id, seen, body.verdict(), key=body.key)
    if isinstance(done, Overtaken):
        return JSONResponse({"error": {"faults": ["overtaken"], "hint": ""}, **done.model_dump(mode="json")}, 409)
    return _on(request, opened, project, instruction, domain, done.model_dump(mode="json"))


@router.post("/api/projects/{project}/cases/{instruction}/more")
def send_back(
    request: Request, me: Me, opened: Opened, project: ProjectId, instruction: InstructionId, domain: Domain = None
) -> Response:
    """Ask one more annotator, and tell where the next case is."""
    case_of(opened, me, project, instruction)
    need_more(opened, project, [instruction], person=me.person.id)
    return _on(request, opened, project, instruction, domain, {})


class FlagBody(_Body):
    """Why a case is set aside."""

    reason: str = Field(min_length=1, max_length=_LONGEST_REASON)


@router.post("/api/projects/{project}/cases/{instruction}/flag")
def set_aside(
    request: Request,
    me: Me,
    opened: Opened,
    project: ProjectId,
    instruction: InstructionId,
    body: FlagBody,
    domain: Domain = None,
) -> Response:
    """Set the case aside for an admin, and tell where the next one is."""
    case_of(opened, me, project, instruction)
    event = flag_case(opened, me.person.id, instruction, body.reason)
    return _on(request, opened, project, instruction, domain, {"event": event})


def _on(
    request: Request, opened: Opened, project: int, instruction: int, domain: str | None, told: dict[str, Any]
) -> Response:
    return JSONResponse({**told, "next": next_path(request, opened, project, domain, instruction)})


@router.get("/api/projects/{project}/cases/{instruction}/opinion")
def opinion(request: Request, me: Me, opened: Opened, project: ProjectId, instruction: InstructionId) -> Response:
    """What all answers together say: asked for on its own, so that it is not what a reviewer sees first."""
    info = project_of(opened, project)
    case = case_of(opened, me, info.id, instruction)
    standing = standings_of(request).ask(project).standing
    labels = standing.opinion(instruction) if standing else None
    return JSONResponse({"labels": labels, "outputs": [one._asdict() for one in opinions_of(case)]})


@router.get("/api/projects/{project}/standing")
def state_of_figures(request: Request, opened: Opened, project: ProjectId) -> Response:
    """Whether the figures are up to date: what a page asks that waits for them."""
    project_of(opened, project)
    reply = standings_of(request).ask(project)
    event = reply.standing.overview.event if reply.standing else None
    return JSONResponse({"event": event, "is_current": reply.is_current, "has_failed": reply.has_failed})
