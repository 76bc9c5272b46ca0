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
    """Unfinished work, as the client sent it, over which revision of the answer."""

    body: Any
    version: int
    based_on: int


def autosave(store: Store, person: int, assignment: int, body: Any, version: int, *, based_on: int = 0) -> Autosaved:
    """Keep unfinished work (any JSON value) and renew the lease.

    `version` rises with every autosave of a client, `based_on` is the revision
    of the answer that it shows: one that arrives late does not replace a newer
    one, and one from before the last save can be told from one after it.

    Raises:
        DataError: the person has no such assignment.
    """
    with store.write() as write:
        held = read_assignment(write.connection, person, assignment)
        kept = read_draft(write.connection, held)
        is_newest = kept is None or (kept.based_on, kept.version) < (based_on, version)
        if is_newest:
            keep_draft(write, held, body, based_on, version)
        if held.state == State.LEASED:
            renew(write, assignment)
        newest = version if is_newest or kept is None else kept.version
        return Autosaved(version=newest, is_held=held.state != State.RETURNED)


def read_draft(connection: Connection, held: Any) -> KeptDraft | None:
    """The unfinished work of a person on an item in a round; `held` is any assignment to it."""
    row = connection.execute(select(Draft.body, Draft.version, Draft.based_on).where(_place(held))).first()
    return None if row is None else KeptDraft(row.body, row.version, row.based_on)


def keep_draft(write: Write, held: Any, body: Any, based_on: int, version: int | None = None) -> None:
    """Keep `body` as the draft, in place of an older one; without a version, as the newest."""
    kept = read_draft(write.connection, held)
    version = (kept.version if kept else 0) + 1 if version is None else version
    values = {"body": body, "version": version, "based_on": based_on, "saved_ms": write.now_ms}
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
