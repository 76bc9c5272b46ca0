"""What is typed and not yet saved: nobody loses more than the last moment."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, delete, insert, select, update

from instructglm.annotation.queue.leases import read_assignment, renew
from instructglm.annotation.store.store import Store, Write
from instructglm.annotation.store.tables import Draft, State
from instructglm.core.records import Record


class Autosaved(Record):
    """What became of an autosave.

    `version` is the newest that is kept. `is_held` is False once the item was
    given back to the others: the text is kept all the same.
    """

    version: int
    is_held: bool


class KeptDraft(NamedTuple):
    """Unfinished work, as the client sent it."""

    body: Any
    version: int


def autosave(store: Store, person: int, assignment: int, body: Any, version: int) -> Autosaved:
    """Keep unfinished work (any JSON value) and renew the lease.

    `version` rises with every autosave of a client: one that arrives late does
    not replace a newer one.

    Raises:
        DataError: the person has no such assignment.
    """
    with store.write() as write:
        held = read_assignment(write.connection, person, assignment)
        kept = read_draft(write.connection, held)
        if kept is None or kept.version < version:
            keep_draft(write, held, body, version)
        if held.state == State.LEASED:
            renew(write, assignment)
        return Autosaved(version=max(version, kept.version if kept else 0), is_held=held.state != State.RETURNED)


def read_draft(connection: Connection, held: Any) -> KeptDraft | None:
    """The unfinished work of a person on an item in a round; `held` is any assignment to it."""
    row = connection.execute(select(Draft.body, Draft.version).where(_place(held))).first()
    return None if row is None else KeptDraft(row.body, row.version)


def keep_draft(write: Write, held: Any, body: Any, version: int | None = None) -> None:
    """Keep `body` as the draft, in place of an older one; without a version, as the newest."""
    kept = read_draft(write.connection, held)
    version = (kept.version if kept else 0) + 1 if version is None else version
    values = {"body": body, "version": version, "saved_ms": write.now_ms}
    if kept is None:
        place = {"round": held.round, "person": held.person, "instruction": held.instruction}
        write.connection.execute(insert(Draft), {**place, **values})
    else:
        write.connection.execute(update(Draft).where(_place(held)).values(values))


def drop_draft(write: Write, held: Any) -> None:
    """The work is saved: its draft has done its duty."""
    write.connection.execute(delete(Draft).where(_place(held)))


def _place(held: Any) -> Any:
    return and_(
        Draft.round == held.round,
        Draft.person == held.person,
        Draft.instruction == held.instruction,
    )
