"""Another password for somebody who lost theirs: a link, so that nobody else ever knows it."""

from __future__ import annotations

from sqlalchemy import insert, update

from instructglm.annotation.store.chain import Change, record
from instructglm.annotation.store.invitations import open_token
from instructglm.annotation.store.people import hash_password, put_password, read_person
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import Invitation
from instructglm.annotation.store.tokens import new_token, token_hash
from instructglm.core.errors import DataError

_VALID_S = 24 * 3600.0


def offer_reset(store: Store, person: int, *, by: int | None = None, valid_s: float = _VALID_S) -> str:
    """A token with which this person can choose another password, once, within `valid_s` seconds.

    Their present password holds until then. The token is told here and stored nowhere; earlier ones of theirs end.

    Raises:
        DataError: there is nobody of this id, or they were removed.
    """
    token = new_token()
    with store.write() as write:
        info = read_person(write.connection, person)
        if info.is_removed:
            raise DataError(f"{info.name} was removed", hint="Invite them anew, under another name.")
        earlier = update(Invitation).where(Invitation.person == person, Invitation.used_ms.is_(None))
        write.connection.execute(earlier.values(expires_ms=write.now_ms))
        values = {
            "id": write.next_id(Invitation.id),
            "token_hash": token_hash(token),
            "role": info.role,
            "invited_by": by,
            "expires_ms": write.now_ms + round(valid_s * 1000),
            "person": person,
        }
        write.connection.execute(insert(Invitation), values)
        record(write, Change("password reset offered", None, by, {"invitation": values["id"], "person": person}))
    return token


def reset_password(store: Store, token: str, password: str) -> int:
    """Give the person of a token this password, and tell their id. Whoever is signed in as them is signed out.

    Raises:
        DataError: the token is unknown, used, revoked or too old, who offered it or whose it is was removed, or the
            password will not do.
    """
    hashed = hash_password(password)
    with store.write() as write:
        found = open_token(write, token, Invitation.person.is_not(None))
        info = read_person(write.connection, found.person)
        if info.is_removed:
            raise DataError(f"{info.name} was removed", hint="Ask an admin for an invitation.")
        write.connection.execute(update(Invitation).where(Invitation.id == found.id).values(used_ms=write.now_ms))
        put_password(write, info.id, hashed, by=info.id)
    return info.id
