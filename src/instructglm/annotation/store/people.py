"""People: who may sign in, as what, and how they came here.

Passwords are stored as Argon2 hashes, which stand in no log.
"""

from __future__ import annotations

import secrets
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Row, Select, bindparam, delete, insert, select, update

from instructglm.annotation.store.chain import Change, record
from instructglm.annotation.store.store import Store, Write
from instructglm.annotation.store.tables import Person, Role, Session
from instructglm.core.errors import DataError
from instructglm.core.records import Record

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1_000  # more would only keep the hash busy


class PersonInfo(Record):
    """Somebody who can sign in, or could before they were removed."""

    id: int
    name: str
    role: Role
    is_removed: bool


def add_person(store: Store, name: str, role: Role, password: str | None = None, *, by: int | None = None) -> int:
    """Make a person and tell their id; without a password they cannot sign in.

    Raises:
        DataError: the name is taken or empty, or the password too short or long.
    """
    hashed = None if password is None else hash_password(password)
    with store.write() as write:
        return new_person(write, name, role, hashed, by)


def new_person(write: Write, name: str, role: Role, hashed: str | None, by: int | None) -> int:
    """Make a person within a transaction; see `add_person`."""
    name = name.strip()
    if not name:
        raise DataError("a person needs a name")
    if write.connection.scalar(select(Person.id).where(Person.name == name)):
        raise DataError(f"there is already somebody named {name!r}", hint="Choose another name.")
    person = write.next_id(Person.id)
    values = {"id": person, "name": name, "role": role, "password_hash": hashed, "added_ms": write.now_ms}
    write.connection.execute(insert(Person), values)
    record(write, Change("person added", None, by, {"person": person, "name": name, "role": role}))
    return person


def change_role(store: Store, person: int, role: Role, *, by: int | None = None) -> None:
    """Let a person do more or less from now on.

    Raises:
        DataError: there is nobody of this id, or they are the last admin and somebody (`by`) asks from the pages.
    """
    with store.write() as write:
        read_person(write.connection, person)
        if by is not None and role != Role.ADMIN:
            see_admin_stays(write.connection, person)
        write.connection.execute(update(Person).where(Person.id == person).values(role=role))
        record(write, Change("role changed", None, by, {"person": person, "role": role}))


def set_password(store: Store, person: int, password: str, *, by: int | None = None) -> None:
    """Give a person another password. Whoever is signed in as them is signed out.

    Raises:
        DataError: there is nobody of this id, or the password is too short or long.
    """
    hashed = hash_password(password)
    with store.write() as write:
        read_person(write.connection, person)
        put_password(write, person, hashed, by)


def put_password(write: Write, person: int, hashed: str, by: int | None) -> None:
    """Store a password's hash, and sign out whoever is signed in as this person, within a transaction."""
    write.connection.execute(update(Person).where(Person.id == person).values(password_hash=hashed))
    write.connection.execute(delete(Session).where(Session.person == person))
    record(write, Change("password set", None, by, {"person": person}))


def see_admin_stays(connection: Connection, person: int) -> None:
    """See that somebody else can manage everything: else nobody could let anybody in any more.

    Raises:
        DataError: this person is the last admin who can sign in.
    """
    admins = select(Person.id).where(
        Person.role == Role.ADMIN, Person.removed_ms.is_(None), Person.password_hash.is_not(None)
    )
    if set(connection.scalars(admins)) == {person}:
        raise DataError("the last admin has to stay one", hint="Make somebody else an admin first.")


def read_person(connection: Connection, person: int) -> PersonInfo:
    """A person by their id.

    Raises:
        DataError: there is nobody.
    """
    found = _told(connection.execute(_by_id(), {"person": person}).first())
    if found is None:
        raise DataError(f"there is nobody with the id {person}")
    return found


@cache
def _by_id() -> Select[int, str, str, int | None]:
    return select(*_COLUMNS).where(Person.id == bindparam("person"))


def list_people(store: Store) -> tuple[PersonInfo, ...]:
    """Everybody, those who were removed too, in the order of their coming."""
    with store.read() as connection:
        rows = connection.execute(select(*_COLUMNS).order_by(Person.id))
        return tuple(_info(row.id, row.name, row.role, row.removed_ms) for row in rows)


_COLUMNS = (Person.id, Person.name, Person.role, Person.removed_ms)


def _told(row: Row[int, str, str, int | None] | None) -> PersonInfo | None:
    return None if row is None else _info(row.id, row.name, row.role, row.removed_ms)


def _info(person: int, name: str, role: str, removed_ms: int | None) -> PersonInfo:
    return PersonInfo(id=person, name=name, role=Role(role), is_removed=removed_ms is not None)


# --- signing in ----------------------------------------------------------------------------------------------------
def sign_in(store: Store, name: str, password: str) -> PersonInfo | None:
    """The person of this name and password; None where there is none, after the same time."""
    from argon2.exceptions import InvalidHashError, VerificationError

    with store.read() as connection:
        found = _told(connection.execute(select(*_COLUMNS).where(Person.name == name.strip())).first())
        hashed = connection.scalar(select(Person.password_hash).where(Person.name == name.strip()))
    try:
        possible = len(password) <= LONGEST_PASSWORD and _is_text(password)
        _hasher().verify(hashed or _nobodys_hash(), password if possible else "")
    except (VerificationError, InvalidHashError):
        return None
    return found if found and hashed and not found.is_removed else None


def hash_password(password: str) -> str:
    """What is stored of a password.

    Raises:
        DataError: it is too short or long, or no text.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise DataError(
            f"a password of {len(password)} characters; expected {SHORTEST_PASSWORD} to {LONGEST_PASSWORD}",
            hint="A sentence that only you would write is a good one.",
        )
    if not _is_text(password):
        raise DataError("the password holds half a character (an unpaired surrogate)", hint="Type it anew.")
    return _hasher().hash(password)


def _is_text(password: str) -> bool:
    try:
        password.encode()
    except UnicodeEncodeError:
        return False
    return True


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobodys_hash() -> str:
    """So that a name that is not there takes as long to refuse as a wrong password."""
    return _hasher().hash(secrets.token_hex())
