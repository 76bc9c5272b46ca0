"""Cases that a reviewer sets aside for an admin: an event of the log each, open until the case is decided."""

from __future__ import annotations

from sqlalchemy import func, select

from instructglm.annotation.queue.cases import see_reviewer
from instructglm.annotation.store.chain import Change, record
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import Decision, Event, Instruction
from instructglm.core.errors import DataError
from instructglm.core.records import Record

_KIND = "case flagged"


class CaseFlag(Record):
    """Why a case was set aside. Who did it, is in the log."""

    instruction: int
    reason: str
    event: int
    at_ms: int


def flag_case(store: Store, person: int, instruction: int, reason: str) -> int:
    """Set a case aside and tell the number of the event.

    Raises:
        DataError: the person is no reviewer, there is no such instruction, or no reason; nothing was stored.
    """
    if not reason.strip():
        raise DataError("a flag needs a reason", hint="Nothing was stored.")
    with store.write() as write:
        see_reviewer(write.connection, person)
        project = write.connection.scalar(select(Instruction.project).where(Instruction.id == instruction))
        if project is None:
            raise DataError(f"there is no instruction {instruction}", hint="Nothing was stored.")
        return record(write, Change(_KIND, project, person, {"instruction": instruction, "reason": reason})).number


def open_flags(store: Store, project: int) -> tuple[CaseFlag, ...]:
    """The flags since the last decision on their case, oldest first. Goes through all events of the project."""
    query = select(Event.number, Event.at_ms, Event.body).where(Event.project == project, Event.kind == _KIND)
    with store.read() as connection:
        rows = connection.execute(query.order_by(Event.number)).all()
        flags = [CaseFlag(event=row.number, at_ms=row.at_ms, **row.body) for row in rows]
        last = select(Decision.instruction, func.max(Decision.event)).join(Instruction)
        last = last.where(Instruction.project == project).group_by(Decision.instruction)
        decided = {row[0]: row[1] for row in connection.execute(last)} if flags else {}
    return tuple(flag for flag in flags if flag.event > decided.get(flag.instruction, 0))
