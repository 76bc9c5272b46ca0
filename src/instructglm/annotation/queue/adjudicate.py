"""Adjudication: a reviewer's verdict on an item, stored with what it rests on, and over nobody else's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from sqlalchemy import Connection, select

from instructglm.annotation.queue.answers import NewText
from instructglm.annotation.queue.cases import (
    Case,
    Seen,
    Verdict,
    Voice,
    last_answers,
    last_decision,
    open_case,
    see_reviewer,
    verdict_of,
)
from instructglm.annotation.queue.docket import undecided
from instructglm.annotation.queue.tasks import in_use
from instructglm.annotation.store.chain import Change, record
from instructglm.annotation.store.store import Store, Write
from instructglm.annotation.store.tables import Decision, Instruction, Origin, Output
from instructglm.core.errors import DataError
from instructglm.core.ids import canonical_json
from instructglm.core.records import Record

__all__ = ["Case", "Decided", "Overtaken", "Seen", "Verdict", "Voice", "decide", "open_case", "undecided"]


class Decided(Record):
    """The verdict is on the disk."""

    decision: int
    revision: int
    event: int
    repeated: bool = False


class Overtaken(Record):
    """Somebody decided, or annotated the item, after the reviewer saw it. Nothing was overwritten."""

    stored: Verdict | None
    stored_revision: int
    sent: Verdict
    num_new_answers: int


def decide(store: Store, person: int, case: Seen, verdict: Verdict, *, key: str) -> Decided | Overtaken:
    """Store a reviewer's verdict on a case as they saw it: who, when, why, from what.

    The reviewer's own texts become outputs in the same event. `key` is the
    client's own name for the verdict: trying again stores nothing twice.

    Raises:
        DataError: the person is no reviewer, there is no such item, the key was used for another verdict, or the
            verdict does not fit the item; nothing was stored.
    """
    with store.write() as write:
        see_reviewer(write.connection, person)
        repeated = _repeated(write.connection, person, case.instruction, key, verdict)
        if repeated is not None:
            return repeated
        _check(write.connection, case.instruction, verdict)
        last = last_decision(write.connection, case.instruction)
        answers = last_answers(write.connection, case.instruction)
        num_new = sum(answer.event > case.seen_event for answer in answers)
        revision = last.revision if last else 0
        if num_new or revision != case.revision:
            return Overtaken(stored=verdict_of(last), stored_revision=revision, sent=verdict, num_new_answers=num_new)
        return _store(write, person, case, verdict, key, [answer.id for answer in answers])


def _hash(verdict: Verdict) -> str:
    return hashlib.sha256(canonical_json(verdict.model_dump(mode="json")).encode()).hexdigest()


def _repeated(connection: Connection, person: int, instruction: int, key: str, verdict: Verdict) -> Decided | None:
    columns = (Decision.id, Decision.revision, Decision.event, Decision.answer_hash, Decision.instruction)
    query = select(*columns).where(Decision.person == person, Decision.key == key)
    found = connection.execute(query).first()
    if found is None:
        return None
    if (found.instruction, found.answer_hash) != (instruction, _hash(verdict)):
        raise DataError("this key was used for another verdict", hint="Open the case again.")
    return Decided(decision=found.id, revision=found.revision, event=found.event, repeated=True)


def _check(connection: Connection, instruction: int, verdict: Verdict) -> None:
    choices = connection.scalar(select(Instruction.choices).where(Instruction.id == instruction))
    if choices is None:
        raise DataError(f"there is no instruction {instruction}", hint="Nothing was stored.")
    query = select(Output.id, Output.text).where(Output.instruction == instruction, in_use(Output.id))
    texts = {row.id: row.text for row in connection.execute(query)}
    faults = [*_faults(verdict, texts)]
    if verdict.label is not None and verdict.label not in choices:
        faults.append(f"label: found {verdict.label!r}; expected one of {', '.join(choices) or 'none'}")
    if faults:
        raise DataError(*faults, hint="Nothing was stored.")


def _faults(verdict: Verdict, texts: dict[int, str]) -> Iterator[str]:
    named = (*verdict.accepted, *(edit.output for edit in verdict.edits))
    yield from (f"output {one}: not one of this item's" for one in dict.fromkeys(named) if one not in texts)
    for edit in verdict.edits:
        if edit.text == texts.get(edit.output):
            yield f"output {edit.output}: edited into what it was; expected a change, or to accept it as it is"
    known = {text: number for number, text in texts.items()}
    for text in verdict.written:
        if text in known:
            yield f"output {known[text]} is this very text already; expected to accept it as it is"


def _store(write: Write, person: int, case: Seen, verdict: Verdict, key: str, seen: list[int]) -> Decided:
    project = write.connection.scalar(select(Instruction.project).where(Instruction.id == case.instruction))
    change, number = Change("decided", project, person), write.next_id(Decision.id)
    own = _add_own(write, change, person, case.instruction, verdict)
    change.add(
        Decision,
        id=number,
        instruction=case.instruction,
        person=person,
        revision=case.revision + 1,
        key=key,
        answer_hash=_hash(verdict),
        accepted=[*verdict.accepted, *own],
        label=verdict.label,
        reason=verdict.reason,
        seen_event=case.seen_event,
        seen=seen,
        at_ms=write.now_ms,
    )
    event = record(write, change)
    return Decided(decision=number, revision=case.revision + 1, event=event.number)


def _add_own(write: Write, change: Change, person: int, instruction: int, verdict: Verdict) -> list[int]:
    """Add the reviewer's own texts to the change, of no round, and tell their ids."""
    texts = [NewText(text, None) for text in verdict.written]
    texts += [NewText(edit.text, edit.output) for edit in verdict.edits]
    numbers = []
    for number, new in enumerate(texts, start=write.next_id(Output.id)):
        values = {"text": new.text, "edited_from": new.edited_from, "origin": str(Origin.PERSON), "model": ""}
        change.add(Output, id=number, instruction=instruction, person=person, **values)
        numbers.append(number)
    return numbers
