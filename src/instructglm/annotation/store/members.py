"""What an admin sees of people: who is here, and which links may still be followed."""

from __future__ import annotations

from sqlalchemy import Connection, or_, select

from instructglm.annotation.store.invitations import end_invitation
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import Event, Invitation, Person, Role
from instructglm.core.errors import DataError
from instructglm.core.records import Record


class Member(Record):
    """Somebody, with since when they are here; `removed_ms` is None as long as they are."""

    id: int
    name: str
    role: Role
    can_sign_in: bool
    added_ms: int
    removed_ms: int | None


class OpenInvitation(Record):
    """A link that was not followed yet. `resets` is the name of whom it gives another password, None: it lets in."""

    id: int
    role: Role
    resets: str | None
    invited_by: str | None
    made_ms: int | None
    expires_ms: int


def list_members(store: Store) -> tuple[Member, ...]:
    """Everybody, those who were removed last; else in the order of their coming."""
    columns = (Person.id, Person.name, Person.role, Person.password_hash, Person.added_ms, Person.removed_ms)
    query = select(*columns).order_by(Person.removed_ms.is_not(None), Person.id)
    with store.read() as connection:
        return tuple(
            Member(
                id=row.id,
                name=row.name,
                role=Role(row.role),
                can_sign_in=row.password_hash is not None and row.removed_ms is None,
                added_ms=row.added_ms,
                removed_ms=row.removed_ms,
            )
            for row in connection.execute(query)
        )


def open_invitations(store: Store) -> tuple[OpenInvitation, ...]:
    """The links that can be followed now, the newest first."""
    sender, whose = Person.__table__.alias("sender"), Person.__table__.alias("whose")
    query = (
        select(
            Invitation.id,
            Invitation.role,
            whose.c.name.label("resets"),
            sender.c.name.label("invited_by"),
            Invitation.expires_ms,
        )
        .outerjoin(sender, sender.c.id == Invitation.invited_by)
        .outerjoin(whose, whose.c.id == Invitation.person)
        .where(Invitation.used_ms.is_(None), sender.c.removed_ms.is_(None), whose.c.removed_ms.is_(None))
        .where(or_(sender.c.id.is_(None), sender.c.role == Role.ADMIN))
        .order_by(Invitation.id.desc())
    )
    with store.read() as connection:
        still_open = query.where(Invitation.expires_ms > store.now_ms(connection))
        rows, made = connection.execute(still_open).mappings().all(), _made(connection)
    return tuple(OpenInvitation(**row, made_ms=made.get(row["id"])) for row in rows)


def _made(connection: Connection) -> dict[int, int]:
    """When each invitation was made: the log tells it. Events of no project are few, and have an index."""
    kinds = ("person invited", "password reset offered")
    query = select(Event.at_ms, Event.body).where(Event.project.is_(None), Event.kind.in_(kinds))
    return {row.body["invitation"]: row.at_ms for row in connection.execute(query)}


def revoke_by_id(store: Store, invitation: int, *, by: int | None = None) -> None:
    """Let an invitation that was not followed let nobody in any more.

    Raises:
        DataError: there is none of this id that is open.
    """
    with store.write() as write:
        query = select(Invitation.id).where(
            Invitation.id == invitation, Invitation.used_ms.is_(None), Invitation.expires_ms > write.now_ms
        )
        if write.connection.scalar(query) is None:
            raise DataError("this invitation was used or revoked, or is too old", hint="Nothing was changed.")
        end_invitation(write, invitation, by)
