"""The closed rounds of an import, and the rows of what was said in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import count
from typing import Any, NamedTuple

from sqlalchemy import func, insert, select

from instructglm.annotation.exchange.entries import GivenAnswer
from instructglm.annotation.exchange.people import IMPORTED
from instructglm.annotation.queue.answers import Answer, NewText, annotation_rows
from instructglm.annotation.queue.save import answer_hash
from instructglm.annotation.store.chain import Change, head
from instructglm.annotation.store.store import Store, Write
from instructglm.annotation.store.tables import Annotation, Assignment, Event, Item, Round, State, Submission

_AT_ONCE = 5_000  # rows a statement


class NewAnswer(NamedTuple):
    """An answer that is not in the store; `round` is the file's number of it, `texts` the ids of what it brought."""

    instruction: int
    person: int
    round: int
    given: GivenAnswer
    answer: Answer
    texts: dict[NewText, int]
    key: str
    guideline: int | None


class MadeRound(NamedTuple):
    """A round of an import."""

    id: int
    number: int


def imported_rounds(store: Store, project: int) -> tuple[int, ...]:
    """The numbers of the rounds that imports have made, as the log tells them."""
    query = select(Event.body).where(Event.project == project, Event.kind == IMPORTED).order_by(Event.number)
    with store.read() as connection:
        return tuple(number for body in connection.scalars(query) for number in body.get("rounds", ()))


def make_rounds(write: Write, project: int, numbers: Sequence[int]) -> dict[int, MadeRound]:
    """Closed rounds after those that are there, one for each number of the file."""
    last = write.connection.scalar(select(func.max(Round.number)).where(Round.project == project)) or 0
    first, seen = write.next_id(Round.id), head(write.connection).number
    shape = {"project": project, "blind": False, "delay_ms": 0, "annotators": None, "is_open": False}
    made = {number: MadeRound(first + place, last + 1 + place) for place, number in enumerate(numbers)}
    _insert(write, Round, [{**round._asdict(), "seen_event": seen, **shape} for round in made.values()])
    return made


def make_answers(write: Write, change: Change, new: Sequence[tuple[NewAnswer, int]]) -> None:
    """Store who held which item of which round (its id), and add what was said to `change`."""
    _make_items(write, new)
    first, submission = write.next_id(Assignment.id), write.next_id(Submission.id)
    annotations = count(write.next_id(Annotation.id))
    held = [_assignment(write, one, round, place) for place, (one, round) in enumerate(new, start=first)]
    _insert(write, Assignment, held)
    for number, ((one, _), assignment) in enumerate(zip(new, held, strict=True), start=submission):
        change.add(Submission, **_submission(one, assignment, number))
        for row in annotation_rows(one.answer, one.texts):
            change.add(Annotation, id=next(annotations), submission=number, **row)


def _make_items(write: Write, new: Sequence[tuple[NewAnswer, int]]) -> None:
    """An item of a round has as many places as it found answers."""
    taken: Counter[tuple[int, int]] = Counter()
    for one, round in new:
        taken[round, one.instruction] += one.answer.skip is None
    positions: Counter[int] = Counter()
    rows = []
    for (round, instruction), number in taken.items():
        positions[round] += 1
        held = {"position": positions[round], "needed": number, "taken": number}
        rows.append({"round": round, "instruction": instruction, **held})
    _insert(write, Item, rows)


def _assignment(write: Write, one: NewAnswer, round: int, number: int) -> dict[str, Any]:
    at_ms = write.now_ms if one.given.at_ms is None else one.given.at_ms
    return {
        "id": number,
        "round": round,
        "instruction": one.instruction,
        "person": one.person,
        "state": str(State.DONE if one.answer.skip is None else State.SKIPPED),
        "is_gold": False,
        "shown": sorted(one.answer.outputs),
        "given_ms": max(0, at_ms - one.given.took_ms),
        "renewed_ms": at_ms,
    }


def _submission(one: NewAnswer, held: dict[str, Any], number: int) -> dict[str, Any]:
    return {
        "id": number,
        "assignment": held["id"],
        "round": held["round"],
        "instruction": one.instruction,
        "person": one.person,
        "revision": 1,
        "key": one.key,
        "answer_hash": answer_hash(one.answer),
        "guideline": one.guideline,
        "shown": held["shown"],
        "took_ms": one.given.took_ms,
        "at_ms": held["renewed_ms"],
    }


def _insert(write: Write, table: Any, rows: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(rows), _AT_ONCE):
        write.connection.execute(insert(table), rows[start : start + _AT_ONCE])
