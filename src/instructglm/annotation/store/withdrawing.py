"""Taking instructions and outputs out of use. Nothing is deleted: the row says who, when and why."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, select

from instructglm.annotation.store.chain import Change, record
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import Instruction, Output, Withdrawal
from instructglm.core.errors import DataError


def withdraw_instructions(
    store: Store, project: int, instructions: Sequence[int], reason: str, *, person: int | None = None
) -> None:
    """Give these instructions to nobody any more.

    Raises:
        DataError: one is not of this project.
    """
    known = select(Instruction.id).where(Instruction.project == project, Instruction.id.in_(instructions))
    _withdraw(store, project, known, "instruction", instructions, reason, person)


def withdraw_outputs(
    store: Store, project: int, outputs: Sequence[int], reason: str, *, person: int | None = None
) -> None:
    """Show these outputs to nobody any more.

    Raises:
        DataError: one is not of this project.
    """
    of_project = select(Output.id).join(Instruction, Instruction.id == Output.instruction)
    known = of_project.where(Instruction.project == project, Output.id.in_(outputs))
    _withdraw(store, project, known, "output", outputs, reason, person)


def _withdraw(
    store: Store, project: int, known: Select[int], column: str, ids: Sequence[int], reason: str, person: int | None
) -> None:
    with store.write() as write:
        unknown = sorted(set(ids) - set(write.connection.scalars(known)))
        if unknown:
            raise DataError(
                f"{column} {', '.join(map(str, unknown))}: not of this project", hint="Nothing was changed."
            )
        change = Change(f"{column}s withdrawn", project, person, {"reason": reason, column: sorted(set(ids))})
        for number, one in enumerate(sorted(set(ids)), start=write.next_id(Withdrawal.id)):
            change.add(Withdrawal, id=number, reason=reason, **{column: one})
        record(write, change)
