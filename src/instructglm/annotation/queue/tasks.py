"""What a person gets to see of an item: never a name, never what others say of it in the same round."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from instructglm.annotation.queue.answers import Answer, read_answer
from instructglm.annotation.queue.drafts import UnsavedAnswer, read_draft, read_unsaved
from instructglm.annotation.queue.leases import read_assignment
from instructglm.annotation.store.projects import Scale, latest_guideline, read_project
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import Instruction, Origin, Output, Round, Submission, Withdrawal
from instructglm.core.errors import DataError
from instructglm.core.ids import unit_interval
from instructglm.core.records import Message, Record


class ShownOutput(Record):
    """An output to judge. Whose it is, is not told."""

    id: int
    text: str


class Task(Record):
    """One item in one person's hands, with all that the page needs.

    `outputs` stand in the order chosen for this person. `revision` and `answer`
    are the person's own last save (0 and None: there is none); send the
    revision back as `based_on`. `draft` is what was typed and not saved; where
    `draft_based_on` is below `revision`, it is from before the last save.
    `unsaved` are the answers that could not be saved (`drop_unsaved` ends that).
    """

    assignment: int
    round: int
    instruction: int
    task: str
    domain: str
    messages: tuple[Message, ...]
    choices: tuple[str, ...]
    outputs: tuple[ShownOutput, ...]
    criteria: dict[str, Scale]
    guideline: int | None
    revision: int
    answer: Answer | None
    draft: Any
    draft_version: int
    draft_based_on: int
    unsaved: tuple[UnsavedAnswer, ...] = ()


def open_task(store: Store, person: int, assignment: int) -> Task:
    """One's own item again, to look at or to change one's answer, as long as its round is open.

    Raises:
        DataError: the person has no such assignment, or its round is closed.
    """
    with store.read() as connection:
        held = read_assignment(connection, person, assignment)
        if not held.is_open:
            raise DataError(f"round {held.number} is closed", hint="Its answers can no longer be seen or changed here.")
        return build_task(connection, held)


def build_task(connection: Connection, held: Any) -> Task:
    """The page's view of an assignment; `held` is its row, as `read_assignment` tells it."""
    instruction = connection.execute(_instruction(), {"instruction": held.instruction}).one()
    last = last_submission(connection, held.id)
    draft = read_draft(connection, held)
    return Task(
        assignment=held.id,
        round=held.number,
        instruction=held.instruction,
        task=instruction.task,
        domain=instruction.domain,
        messages=tuple(Message.model_validate(message) for message in instruction.messages),
        choices=tuple(instruction.choices),
        outputs=_texts(connection, held.shown),
        criteria=read_project(connection, held.project).settings.criteria,
        guideline=latest_guideline(connection, held.project),
        revision=last.revision if last else 0,
        answer=read_answer(connection, last.id) if last else None,
        draft=draft.body if draft else None,
        draft_version=draft.version if draft else 0,
        draft_based_on=draft.based_on if draft else 0,
        unsaved=read_unsaved(connection, held),
    )


@cache
def _instruction() -> Select[str, str, Any, Any]:
    columns = (Instruction.task, Instruction.domain, Instruction.messages, Instruction.choices)
    return select(*columns).where(Instruction.id == bindparam("instruction"))


def last_submission(connection: Connection, assignment: int) -> Any:
    """The id and revision of the last save of an assignment; None where there is none."""
    return connection.execute(_last_submission(), {"assignment": assignment}).first()


@cache
def _last_submission() -> Select[int, int]:
    query = select(Submission.id, Submission.revision).where(Submission.assignment == bindparam("assignment"))
    return query.order_by(Submission.revision.desc()).limit(1)


def _texts(connection: Connection, ids: Sequence[int]) -> tuple[ShownOutput, ...]:
    texts = {row.id: row.text for row in connection.execute(_texts_of(), {"ids": ids})}
    return tuple(ShownOutput(id=one, text=texts[one]) for one in ids)


@cache
def _texts_of() -> Select[int, str]:
    return select(Output.id, Output.text).where(Output.id.in_(bindparam("ids", expanding=True)))


def outputs_to_show(connection: Connection, round: Any, instruction: int, person: int) -> list[int]:
    """The outputs that may be seen in a round, in an order of this person's own.

    What people wrote is seen in later rounds only, and never in a blind one.
    """
    known = {"instruction": instruction} if round.blind else {"instruction": instruction, "number": round.number}
    ids = connection.scalars(_to_show(bool(round.blind)), known).all()
    return sorted(ids, key=lambda output: unit_interval("order of outputs", round.id, person, output))


@cache
def _to_show(is_blind: bool) -> Select[int]:
    query = select(Output.id).outerjoin(Round, Round.id == Output.round)
    return query.where(Output.instruction == bindparam("instruction"), in_use(Output.id), _may_be_seen(is_blind))


def _may_be_seen(is_blind: bool) -> ColumnElement[bool]:
    not_peoples = Output.origin != Origin.PERSON
    if is_blind:
        return not_peoples
    return or_(not_peoples, Output.round.is_(None), Round.number < bindparam("number"))


def in_use(output: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """Whether an output was not withdrawn."""
    return ~select(Withdrawal.id).where(Withdrawal.output == output).exists()


def instruction_in_use(instruction: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """Whether an instruction was not withdrawn."""
    return ~select(Withdrawal.id).where(Withdrawal.instruction == instruction).exists()
