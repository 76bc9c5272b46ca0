"""Instructions that a model wrote: nobody is given one before a person has accepted it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import Connection, Select, select

from instructglm.annotation.store.chain import Change, record
from instructglm.annotation.store.importing import import_one
from instructglm.annotation.store.incoming import NewInstruction
from instructglm.annotation.store.people import read_person
from instructglm.annotation.store.store import Store, Write
from instructglm.annotation.store.tables import Instruction, Proposal, ProposalDecision, Withdrawal
from instructglm.core.errors import DataError
from instructglm.core.records import Record, example_id

EXPANDED_BY = "expanded by "
"""How the source of an accepted proposal begins; the model's name follows."""
State = Literal["waiting", "accepted", "rejected"]


class ProposalInfo(Record):
    """A proposal as it stands. `person` and `reason` are of the decision, `instruction` is what it became."""

    id: int
    record: NewInstruction
    model: str
    state: State
    person: int | None
    reason: str
    instruction: int | None


def key_of(held: NewInstruction) -> str:
    """What names the instruction that this would become."""
    return example_id(held.task, held.prompt())


def list_proposals(
    store: Store, project: int, *, state: State | None = None, after: int = 0, limit: int | None = None
) -> tuple[ProposalInfo, ...]:
    """A project's proposals in the order of their coming: of one state, beyond the id `after`, at most `limit`."""
    query = _query().where(Proposal.project == project, Proposal.id > after)
    decided = ProposalDecision.accepted
    wanted = {None: None, "waiting": decided.is_(None), "accepted": decided.is_(True), "rejected": decided.is_(False)}
    if (condition := wanted[state]) is not None:
        query = query.where(condition)
    with store.read() as connection:
        return tuple(_info(row) for row in connection.execute(query.order_by(Proposal.id).limit(limit)))


def _query() -> Select[*tuple[Any, ...]]:
    made = (Proposal.id, Proposal.project, Proposal.record, Proposal.model)
    said = (ProposalDecision.accepted, ProposalDecision.person, ProposalDecision.reason, ProposalDecision.instruction)
    return select(*made, *said).outerjoin(ProposalDecision, ProposalDecision.proposal == Proposal.id)


def _info(row: Any) -> ProposalInfo:
    states: dict[bool | None, State] = {None: "waiting", True: "accepted", False: "rejected"}
    return ProposalInfo(
        id=row.id,
        record=NewInstruction.model_validate(row.record),
        model=row.model,
        state=states[row.accepted],
        person=row.person,
        reason=row.reason or "",
        instruction=row.instruction,
    )


def accept_proposal(
    store: Store, proposal: int, person: int, reason: str = "", *, edited: Mapping[str, Any] | None = None
) -> int:
    """Make an instruction of a proposal, as it is or as the person `edited` it, and tell the instruction's id.

    Its source says which model wrote it. Where the project has this very
    instruction already, it is that one.

    Args:
        store: where.
        proposal: which.
        person: who accepts it.
        reason: why, in their words.
        edited: the fields that the person changed, as an import spells them.

    Raises:
        DataError: there is no such proposal or person, it was decided before, or what was edited is faulty; nothing
            was stored.
    """
    with store.write() as write:
        found = _undecided(write, proposal, person)
        held = {**found.record, **(edited or {}), "source": f"{EXPANDED_BY}{found.model}"}
        instruction = import_one(write, found.project, held, person=person)
        _see_in_use(write.connection, instruction)
        body = {"proposal": proposal, "instruction": instruction, "edited": sorted(edited or {})}
        _decide(write, found, person, reason, "proposal accepted", body)
    return instruction


def reject_proposal(store: Store, proposal: int, person: int, reason: str) -> None:
    """Put a proposal away. It stays in the store, and what is nearly the same is not proposed again.

    Raises:
        DataError: there is no such proposal or person, or it was decided before; nothing was stored.
    """
    with store.write() as write:
        found = _undecided(write, proposal, person)
        _decide(write, found, person, reason, "proposal rejected", {"proposal": proposal})


def _undecided(write: Write, proposal: int, person: int) -> Any:
    someone = read_person(write.connection, person)
    if someone.is_removed:
        raise DataError(f"{someone.name} was removed and decides nothing any more", hint="Nothing was stored.")
    found = write.connection.execute(_query().where(Proposal.id == proposal)).first()
    if found is None:
        raise DataError(f"there is no proposal {proposal}", hint="`instructglm annotate proposals PROJECT` lists them.")
    if found.accepted is not None:
        word = "accepted" if found.accepted else "rejected"
        raise DataError(f"proposal {proposal} was {word} before", hint="Withdraw the instruction to undo it.")
    return found


def _see_in_use(connection: Connection, instruction: int) -> None:
    if connection.scalar(select(Withdrawal.id).where(Withdrawal.instruction == instruction).limit(1)):
        raise DataError(
            f"instruction {instruction} is the same and was withdrawn",
            hint="Nothing was stored. Reject the proposal, or edit it.",
        )


def _decide(write: Write, found: Any, person: int, reason: str, kind: str, body: Mapping[str, Any]) -> None:
    change = Change(kind, found.project, person, body)
    change.add(
        ProposalDecision,
        id=write.next_id(ProposalDecision.id),
        proposal=found.id,
        person=person,
        accepted="instruction" in body,
        reason=reason,
        instruction=body.get("instruction"),
    )
    record(write, change)


def known_keys(connection: Connection, project: int, keys: Sequence[str]) -> set[str]:
    """Those of these keys that an instruction or a proposal of the project has."""
    taken: set[str] = set()
    for table in (Instruction, Proposal):
        taken |= set(connection.scalars(select(table.key).where(table.project == project, table.key.in_(keys))))
    return taken
