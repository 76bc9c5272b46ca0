"""Saving an answer: once, in the place of what it was based on, or not at all; nothing typed is lost either way."""

from __future__ import annotations

import hashlib
from functools import cache
from itertools import count
from typing import Any

from sqlalchemy import Select, bindparam, select

from instructglm.annotation.queue.answers import Answer, NewText, annotation_rows, new_texts, read_answer
from instructglm.annotation.queue.checks import check_answer
from instructglm.annotation.queue.drafts import drop_draft, keep_unsaved
from instructglm.annotation.queue.leases import read_assignment
from instructglm.annotation.queue.places import move
from instructglm.annotation.queue.tasks import in_use, last_submission
from instructglm.annotation.store.chain import Change, record
from instructglm.annotation.store.people import read_person
from instructglm.annotation.store.projects import latest_guideline, read_project
from instructglm.annotation.store.store import Store, Write
from instructglm.annotation.store.tables import (
    Annotation,
    Instruction,
    Origin,
    Output,
    State,
    Submission,
    Withdrawal,
)
from instructglm.core.errors import DataError
from instructglm.core.records import Record


class Saved(Record):
    """The answer is on the disk. `repeated`: it was there already, from an earlier try with the same key."""

    submission: int
    revision: int
    event: int
    repeated: bool = False


class Conflict(Record):
    """The answer was based on an older revision than the stored one. Nothing was overwritten: here are both.

    What was sent is kept, apart from the draft: see `Task.unsaved`.
    """

    stored: Answer
    stored_revision: int
    sent: Answer


class NotHeld(Record):
    """The item is no longer this person's to answer. What was sent is kept, as with a `Conflict`."""

    reason: str
    sent: Answer


def save(
    store: Store, person: int, assignment: int, answer: Answer, *, key: str, based_on: int = 0, took_ms: int = 0
) -> Saved | Conflict | NotHeld:
    """Save what a person says of an item in their hands, or change what they said.

    Args:
        store: where.
        person: who.
        assignment: the item, as `next_task` gave it.
        answer: what they say.
        key: the client's own name for this save: trying it again after a lost answer stores nothing twice.
        based_on: the revision that the person saw; 0: there was none.
        took_ms: how long they worked on it.

    Raises:
        DataError: the person has no such assignment, the key was used for another item, or the answer does not
            fit the item; nothing was stored.
        StorageError: the database refuses; nothing was stored.
    """
    with store.write() as write:
        held = read_assignment(write.connection, person, assignment)
        repeated = _repeated(write, held, key, answer, based_on)
        if repeated is not None:
            return repeated
        last = last_submission(write.connection, assignment)
        if last is None and based_on:
            raise DataError(f"the answer is based on revision {based_on}; there is none", hint="Open the item again.")
        if (last.revision if last else 0) != based_on:
            return _conflict(write, held, last, answer, based_on)
        return _save(write, held, last, answer, key, took_ms)


def _repeated(write: Write, held: Any, key: str, answer: Answer, based_on: int) -> Saved | Conflict | None:
    found = write.connection.execute(_by_key(), {"person": held.person, "key": key}).first()
    if found is None:
        return None
    if found.assignment != held.id:
        raise DataError("this key was used for another item", hint="Nothing was stored: save it with a key of its own.")
    if found.answer_hash != answer_hash(answer):
        return _conflict(write, held, found, answer, based_on)
    return Saved(submission=found.id, revision=found.revision, event=found.event, repeated=True)


@cache
def _by_key() -> Select[int, int, int, str, int]:
    columns = (Submission.id, Submission.revision, Submission.event, Submission.answer_hash, Submission.assignment)
    return select(*columns).where(Submission.person == bindparam("person"), Submission.key == bindparam("key"))


def _conflict(write: Write, held: Any, last: Any, sent: Answer, based_on: int) -> Conflict:
    keep_unsaved(write, held, sent.model_dump(mode="json"), based_on)
    return Conflict(stored=read_answer(write.connection, last.id), stored_revision=last.revision, sent=sent)


def answer_hash(answer: Answer) -> str:
    """What tells one answer from another, whoever gave it."""
    return hashlib.sha256(answer.spelled().encode()).hexdigest()


def _save(write: Write, held: Any, last: Any, answer: Answer, key: str, took_ms: int) -> Saved | NotHeld:
    own = _own_texts(write, last)
    _check(write, held, own, answer)
    state = State.DONE if answer.skip is None else State.SKIPPED
    reason = _why_not(write, held, state)
    revision = last.revision if last else 0
    if reason is not None:
        keep_unsaved(write, held, answer.model_dump(mode="json"), revision)
        return NotHeld(reason=reason, sent=answer)
    change, submission = _change(write, held, answer, own)
    change.rows[Submission] = [_submission(write, held, answer, submission, revision + 1, key, took_ms)]
    event = record(write, change)
    if answer.skip is None:  # a skip says nothing of what was typed
        drop_draft(write, held)
    return Saved(submission=submission, revision=revision + 1, event=event.number)


def _check(write: Write, held: Any, own: dict[NewText, int], answer: Answer) -> None:
    choices = write.connection.scalars(_choices(), {"instruction": held.instruction}).one()
    criteria = read_project(write.connection, held.project).settings.criteria
    check_answer(answer, shown=held.shown, choices=choices, criteria=criteria, own=own)


@cache
def _choices() -> Select[Any]:
    return select(Instruction.choices).where(Instruction.id == bindparam("instruction"))


def _why_not(write: Write, held: Any, state: State) -> str | None:
    """Why the item cannot come to this state; None once it has."""
    if read_person(write.connection, held.person).is_removed:
        return "this person was removed"
    if not held.is_open and held.state != State.LEASED:
        return f"round {held.number} is closed"
    if not move(write, held, state):
        return "the item was given back after a silence, and has found its annotators since"
    return None


def _own_texts(write: Write, last: Any) -> dict[NewText, int]:
    """The outputs that the person's last save brought: what is sent again unchanged keeps its id."""
    if last is None:
        return {}
    query = (
        select(Output.id, Output.text, Output.edited_from)
        .join(Annotation, Annotation.output == Output.id)
        .where(Annotation.submission == last.id, Annotation.kind.in_(("write", "edit")), in_use(Output.id))
    )
    return {NewText(row.text, row.edited_from): row.id for row in write.connection.execute(query)}


def _change(write: Write, held: Any, answer: Answer, own: dict[NewText, int]) -> tuple[Change, int]:
    """The rows of an answer, and the id of its submission. Texts of the last save that are not in it are withdrawn."""
    change, submission = Change("answered", held.project, held.person), write.next_id(Submission.id)
    brought, ids = new_texts(answer), count(write.next_id(Output.id))
    outputs = {new: own[new] if new in own else next(ids) for new in brought}
    for new in (new for new in brought if new not in own):
        where = {"instruction": held.instruction, "person": held.person, "round": held.round, "model": ""}
        values = {"text": new.text, "edited_from": new.edited_from, "origin": str(Origin.PERSON)}
        change.add(Output, id=outputs[new], **where, **values)
    gone = [output for new, output in own.items() if new not in outputs]
    for number, output in enumerate(gone, start=write.next_id(Withdrawal.id)):
        change.add(Withdrawal, id=number, output=output, reason="replaced by its author")
    for number, row in enumerate(annotation_rows(answer, outputs), start=write.next_id(Annotation.id)):
        change.add(Annotation, id=number, submission=submission, **row)
    return change, submission


def _submission(
    write: Write, held: Any, answer: Answer, number: int, revision: int, key: str, took_ms: int
) -> dict[str, Any]:
    return {
        "id": number,
        "assignment": held.id,
        "round": held.round,
        "instruction": held.instruction,
        "person": held.person,
        "revision": revision,
        "key": key,
        "answer_hash": answer_hash(answer),
        "guideline": latest_guideline(write.connection, held.project),
        "shown": held.shown,
        "took_ms": max(0, took_ms),
        "at_ms": write.now_ms,
    }
