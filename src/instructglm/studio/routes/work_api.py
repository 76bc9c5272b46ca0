"""The queue for scripts: the next item, saving, autosave, signs of life. docs/annotation.md describes it for others."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field, JsonValue
from pydantic_core import PydanticSerializationError
from starlette.responses import Response

from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.claim import Idle, next_task
from instructglm.annotation.queue.drafts import Autosaved, autosave, drop_unsaved
from instructglm.annotation.queue.leases import give_back, keep_hold
from instructglm.annotation.queue.save import Conflict, NotHeld, Saved, save
from instructglm.annotation.queue.tasks import Task, open_task
from instructglm.annotation.store import Store
from instructglm.annotation.store.projects import list_guidelines
from instructglm.annotation.store.tables import Role
from instructglm.annotation.store.tables.base import LARGEST_ID
from instructglm.core.errors import InstructGLMError
from instructglm.core.records import Record
from instructglm.studio.guard import ForAnnotators, Me, Opened
from instructglm.studio.guideline import Block, blocks
from instructglm.studio.routes.home import ProjectId

router = APIRouter(route_class=ForAnnotators, prefix="/api")

AssignmentId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Bounded = Annotated[int, Field(ge=0, le=LARGEST_ID)]


class Whoami(Record):
    """Who is signed in, and the token to send as `X-CSRF-Token` with everything that changes something."""

    person: int
    name: str
    role: Role
    csrf: str


class Given(Record):
    """The next item, or why there is none, and in how many milliseconds to ask again where that is known."""

    task: Task | None = None
    idle: Idle | None = None
    wait_ms: int | None = None


class ToSave(Record):
    """An answer to save, as `queue.save.save` describes it; the next item of `next_in` comes back with it."""

    answer: Answer
    key: str = Field(min_length=1, max_length=200)
    based_on: Bounded = 0
    took_ms: Bounded = 0
    next_in: Annotated[int, Field(ge=1, le=LARGEST_ID)] | None = None


class SaveDone(Record):
    """The answer is on the disk; `next` where it was asked for and could be had."""

    saved: Saved
    next: Given | None = None


class Clash(Record):
    """Status 409: the answer was based on an older revision than the stored one. Both are here, both are kept."""

    conflict: Conflict


class Gone(Record):
    """Status 410: the item is no longer this person's. What was sent is kept."""

    not_held: NotHeld


class ToKeep(Record):
    """Unfinished work, in any shape, to keep under a version that rises with each."""

    body: dict[str, JsonValue]
    version: int = Field(ge=1, le=LARGEST_ID)
    based_on: Bounded = 0


class Held(Record):
    """Whether the item is still in the person's hands."""

    is_held: bool


class GuidelineShown(Record):
    """The latest guideline; version 0: there is none."""

    version: int
    blocks: tuple[Block, ...]


@router.get("/me", response_model=Whoami)
def who_am_i(me: Me) -> Response:
    """Who is signed in."""
    return _told(Whoami(person=me.person.id, name=me.person.name, role=me.person.role, csrf=me.csrf))


@router.post("/projects/{project}/next", response_model=Given)
def give_next(project: ProjectId, me: Me, opened: Opened) -> Response:
    """Lease the next item of the project's open round; the one in hand, where there is one."""
    return _told(_next(opened, project, me.person.id))


@router.get("/projects/{project}/guideline", response_model=GuidelineShown)
def show_guideline(project: ProjectId, opened: Opened) -> Response:
    """The latest guideline."""
    return _told(guideline_shown(opened, project))


@router.get("/assignments/{assignment}", response_model=Task)
def show_task(assignment: AssignmentId, me: Me, opened: Opened) -> Response:
    """One's own item again, as long as its round is open."""
    return _told(open_task(opened, me.person.id, assignment))


@router.post(
    "/assignments/{assignment}/save", response_model=SaveDone, responses={409: {"model": Clash}, 410: {"model": Gone}}
)
def save_answer(assignment: AssignmentId, sent: ToSave, me: Me, opened: Opened) -> Response:
    """Save an answer: once, in the place of what it was based on, or not at all."""
    about = (opened, me.person.id, assignment)
    done = save(*about, sent.answer, key=sent.key, based_on=sent.based_on, took_ms=sent.took_ms)
    if isinstance(done, Conflict):
        return _told(Clash(conflict=done), 409)
    if isinstance(done, NotHeld):
        return _told(Gone(not_held=done), 410)
    return _told(SaveDone(saved=done, next=_following(opened, sent.next_in, me.person.id)))


@router.put("/assignments/{assignment}/draft", response_model=Autosaved)
def keep_draft(assignment: AssignmentId, sent: ToKeep, me: Me, opened: Opened) -> Response:
    """Keep what is typed and not saved yet."""
    return _told(autosave(opened, me.person.id, assignment, sent.body, sent.version, based_on=sent.based_on))


@router.post("/assignments/{assignment}/renew", response_model=Held)
def renew_lease(assignment: AssignmentId, me: Me, opened: Opened) -> Response:
    """A sign of life."""
    return _told(Held(is_held=keep_hold(opened, me.person.id, assignment)))


@router.post("/assignments/{assignment}/give-back", response_model=Held)
def return_item(assignment: AssignmentId, me: Me, opened: Opened) -> Response:
    """Give the item back unanswered; what was typed stays as a draft."""
    give_back(opened, me.person.id, assignment)
    return _told(Held(is_held=False))


@router.delete("/assignments/{assignment}/unsaved/{unsaved}", status_code=204)
def forget_unsaved(assignment: AssignmentId, unsaved: AssignmentId, me: Me, opened: Opened) -> Response:
    """Forget an answer that could not be saved, once the person needs it no more."""
    drop_unsaved(opened, me.person.id, assignment, unsaved)
    return Response(status_code=204)


def guideline_shown(store: Store, project: int) -> GuidelineShown:
    """The latest guideline of a project as pages show it."""
    versions = list_guidelines(store, project)
    if not versions:
        return GuidelineShown(version=0, blocks=())
    return GuidelineShown(version=versions[0].version, blocks=blocks(versions[0].text))


def _next(store: Store, project: int, person: int) -> Given:
    given = next_task(store, project, person)
    if isinstance(given, Task):
        return Given(task=given)
    if given.again_ms is None:
        return Given(idle=given)
    with store.read() as connection:
        return Given(idle=given, wait_ms=max(0, given.again_ms - store.now_ms(connection)))


def _following(store: Store, project: int | None, person: int) -> Given | None:
    """The next item after a save, which stands whatever becomes of this."""
    try:
        return None if project is None else _next(store, project, person)
    except InstructGLMError:
        return None


def _told(record: Record, status: int = 200) -> Response:
    """A record as JSON; half characters, which a draft may hold, are escaped."""
    try:
        text = record.model_dump_json()
    except PydanticSerializationError:
        text = json.dumps(record.model_dump())
    return Response(text, status, media_type="application/json")
