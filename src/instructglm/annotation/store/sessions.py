"""Sessions: the browsers in which people are signed in.

A session is a token of 256 random bits that only its browser knows; the store
keeps its SHA-256. So sessions outlive a server, several servers share them, and
no key has to be kept secret anywhere.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache

from sqlalchemy import Select, bindparam, delete, insert, select, update

from instructglm.annotation.store.people import PersonInfo
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import Person, Role, Session
from instructglm.annotation.store.tokens import new_token, token_hash
from instructglm.core.errors import StorageError

IDLE_S = 14 * 24 * 3600
"""A session ends when it was not used for so long."""
_NOTED_EVERY_MS = 3_600_000  # a use within this of the last one noted is not written down


def start_session(store: Store, person: int) -> str:
    """A new session's token. It is told here and stored nowhere."""
    token = new_token()
    with store.write() as write:
        write.connection.execute(delete(Session).where(Session.seen_ms <= write.now_ms - IDLE_S * 1000))
        values = {"token_hash": token_hash(token), "person": person, "seen_ms": write.now_ms}
        write.connection.execute(insert(Session), values)
    return token


def whose_session(store: Store, token: str) -> PersonInfo | None:
    """Who is signed in by this token, as they stand now; None where nobody is, or they were removed."""
    with store.read() as connection:
        found = connection.execute(_visitor(), {"token_hash": token_hash(token)}).first()
        now_ms = store.now_ms(connection)
    if found is None or found.seen_ms <= now_ms - IDLE_S * 1000:
        return None
    if found.seen_ms <= now_ms - _NOTED_EVERY_MS:
        with suppress(StorageError):  # a store that is full or busy can still be read
            _note_use(store, token)
    return PersonInfo(id=found.id, name=found.name, role=Role(found.role), is_removed=False)


@cache
def _visitor() -> Select[int, str, str, int]:
    columns = (Person.id, Person.name, Person.role, Session.seen_ms)
    query = select(*columns).join(Session, Session.person == Person.id)
    return query.where(Session.token_hash == bindparam("token_hash"), Person.removed_ms.is_(None))


def _note_use(store: Store, token: str) -> None:
    with store.write() as write:
        mine = update(Session).where(Session.token_hash == token_hash(token))
        write.connection.execute(mine.values(seen_ms=write.now_ms))


def end_session(store: Store, token: str) -> None:
    """Sign out one browser."""
    with store.write() as write:
        write.connection.execute(delete(Session).where(Session.token_hash == token_hash(token)))
