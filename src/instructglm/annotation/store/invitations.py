"""Invitations: links by which people come here."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Row, insert, select, update

from instructglm.annotation.store.chain import Change, record
from instructglm.annotation.store.people import PersonInfo, hash_password, new_person, read_person
from instructglm.annotation.store.store import Store, Write
from instructglm.annotation.store.tables import Invitation, Role
from instructglm.annotation.store.tokens import new_token, token_hash
from instructglm.core.errors import DataError

_INVITED_FOR_S = 7 * 24 * 3600.0


def invite(store: Store, role: Role, *, by: int | None = None, valid_s: float = _INVITED_FOR_S) -> str:
    """A token that lets one person in, once, within `valid_s` seconds. It is told here and stored nowhere."""
    token = new_token()
    with store.write() as write:
        values = {
            "id": write.next_id(Invitation.id),
            "token_hash": token_hash(token),
            "role": role,
            "invited_by": by,
            "expires_ms": write.now_ms + round(valid_s * 1000),
        }
        write.connection.execute(insert(Invitation), values)
        record(write, Change("person invited", None, by, {"invitation": values["id"], "role": role}))
    return token


def accept_invitation(store: Store, token: str, name: str, password: str) -> int:
    """Make the person whom a token lets in, and tell their id.

    Raises:
        DataError: the token is unknown, used, revoked or too old, who invited is no admin now; or the name or the
            password will not do.
    """
    hashed = hash_password(password)
    with store.write() as write:
        found = open_token(write, token, Invitation.person.is_(None))
        person = new_person(write, name, Role(found.role), hashed, found.invited_by)
        used = update(Invitation).where(Invitation.id == found.id).values(used_ms=write.now_ms, person=person)
        write.connection.execute(used)
    return person


def revoke_invitation(store: Store, token: str, *, by: int | None = None) -> None:
    """Let a token that was not used let nobody in any more.

    Raises:
        DataError: the token is unknown, used, revoked or too old.
    """
    with store.write() as write:
        end_invitation(write, _open_invitation(write, Invitation.token_hash == token_hash(token)).id, by)


def end_invitation(write: Write, invitation: int, by: int | None) -> None:
    """Let an open invitation end now, within a transaction."""
    ended = update(Invitation).where(Invitation.id == invitation).values(expires_ms=write.now_ms)
    write.connection.execute(ended)
    record(write, Change("invitation revoked", None, by, {"invitation": invitation}))


def open_token(write: Write, token: str, kind: ColumnElement[bool]) -> Row[int, str, int | None, int | None]:
    """The open invitation of a token and of this kind, whose sender is still an admin.

    Raises:
        DataError: there is none.
    """
    found = _open_invitation(write, Invitation.token_hash == token_hash(token), kind)
    if found.invited_by is not None and not _may_invite(read_person(write.connection, found.invited_by)):
        raise DataError("who sent this invitation was removed, or is no admin now", hint="Ask an admin for a new one.")
    return found


def _may_invite(sender: PersonInfo) -> bool:
    """Whoever is an admin no more lets nobody in either, themselves as another admin least of all."""
    return sender.role == Role.ADMIN and not sender.is_removed


def _open_invitation(write: Write, *which: ColumnElement[bool]) -> Row[int, str, int | None, int | None]:
    columns = (Invitation.id, Invitation.role, Invitation.invited_by, Invitation.person)
    query = select(*columns).where(*which, Invitation.used_ms.is_(None), Invitation.expires_ms > write.now_ms)
    found = write.connection.execute(query).first()
    if found is None:
        raise DataError("this invitation is unknown, used or too old", hint="Ask for a new one.")
    return found
