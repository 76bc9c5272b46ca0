"""What is typed and not yet saved: nobody loses more than the last moment."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Delete, Select, and_, bindparam, delete, insert, select, update

from instructglm.annotation.queue.leases import read_assignment, renew
from instructglm.annotation.store.store import Store, Write
from instructglm.annotation.store.tables import Draft, State, Unsaved
from instructglm.core.errors import DataError
from instructglm.core.records import Record


class Autosaved(Record):
    """What became of an autosave.

    `version` is the newest that is kept. `kept` is False where that is not what
    was sent: send it again with a higher version to put it in its place.
    `is_held` is False once the item was given back to the others: the text is
    kept all the same.
    """

    version: int
    kept: bool
    is_held: bool


class UnsavedAnswer(Record):
    """An answer that could not be saved, as it was sent, over which revision."""

    id: int
    body: Any
    based_on: int


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
        DataError: the person has no such assignment, or `body` is None.
    """
    if body is None:
        raise DataError("there is nothing to keep: found None", hint="Send what was typed.")
    with store.write() as write:
        held = read_assignment(write.connection, person, assignment)
        sent, kept = KeptDraft(body, version, based_on), read_draft(write.connection, held)
        if kept is None or (kept.based_on, kept.version) < (based_on, version):
            _keep_draft(write, held, kept, sent)
            kept = sent
        if held.state == State.LEASED:
            renew(write, assignment)
        return Autosaved(version=kept.version, kept=kept == sent, is_held=held.state != State.RETURNED)


def read_draft(connection: Connection, held: Any) -> KeptDraft | None:
    """The unfinished work of a person on an item in a round; `held` is any assignment to it."""
    row = connection.execute(_draft(), _place_of(held)).first()
    return None if row is None else KeptDraft(row.body, row.version, row.based_on)


@cache
def _draft() -> Select[Any, int, int]:
    return select(Draft.body, Draft.version, Draft.based_on).where(_place(Draft))


def _keep_draft(write: Write, held: Any, kept: KeptDraft | None, sent: KeptDraft) -> None:
    values = {**sent._asdict(), "saved_ms": write.now_ms}
    if kept is None:
        place = {"round": held.round, "person": held.person, "instruction": held.instruction}
        write.connection.execute(insert(Draft), {**place, **values})
    else:
        write.connection.execute(update(Draft).where(_place(Draft)).values(values), _place_of(held))


def drop_draft(write: Write, held: Any) -> None:
    """The work is saved: its draft has done its duty."""
    write.connection.execute(_drop_draft(), _place_of(held))


@cache
def _drop_draft() -> Delete:
    return delete(Draft).where(_place(Draft))


def keep_unsaved(write: Write, held: Any, body: Any, based_on: int) -> None:
    """Keep an answer that could not be saved, beside the draft and whatever else was refused; once, however often."""
    known = read_unsaved(write.connection, held)
    if any((one.body, one.based_on) == (body, based_on) for one in known):
        return
    place = {"round": held.round, "person": held.person, "instruction": held.instruction}
    values = {"id": write.next_id(Unsaved.id), "body": body, "based_on": based_on, "sent_ms": write.now_ms}
    write.connection.execute(insert(Unsaved), {**place, **values})


def read_unsaved(connection: Connection, held: Any) -> tuple[UnsavedAnswer, ...]:
    """The answers of a person to an item in a round that could not be saved, in the order of their coming."""
    rows = connection.execute(_unsaved(), _place_of(held))
    return tuple(UnsavedAnswer(id=row.id, body=row.body, based_on=row.based_on) for row in rows)


@cache
def _unsaved() -> Select[int, Any, int]:
    return select(Unsaved.id, Unsaved.body, Unsaved.based_on).where(_place(Unsaved)).order_by(Unsaved.id)


def drop_unsaved(store: Store, person: int, assignment: int, unsaved: int) -> None:
    """Forget an answer that could not be saved, once the person has seen it and needs it no more.

    Raises:
        DataError: the person has no such assignment.
    """
    with store.write() as write:
        held = read_assignment(write.connection, person, assignment)
        write.connection.execute(delete(Unsaved).where(_place(Unsaved), Unsaved.id == unsaved), _place_of(held))


def _place(table: type[Draft] | type[Unsaved]) -> Any:
    """Of one person on one item in one round: those that `_place_of` names."""
    names = ("round", "person", "instruction")
    return and_(*(getattr(table, name) == bindparam(f"of_{name}") for name in names))


def _place_of(held: Any) -> dict[str, int]:
    return {"of_round": held.round, "of_person": held.person, "of_instruction": held.instruction}
