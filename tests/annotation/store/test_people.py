"""Who may come in, and what a thief of the database would not find in it."""

import threading

import pytest
from sqlalchemy import text

from instructglm.annotation.queue.leases import remove_person
from instructglm.annotation.store.invitations import accept_invitation, invite, revoke_invitation
from instructglm.annotation.store.people import (
    add_person,
    change_role,
    list_people,
    set_password,
    sign_in,
)
from instructglm.annotation.store.tables import Base, Role
from instructglm.core.errors import DataError

PASSWORD = "correct horse battery"


def everything(store) -> str:
    with store.read() as connection:
        rows = [connection.execute(text(f'SELECT * FROM "{name}"')).all() for name in Base.metadata.tables]
    return str(rows)


def test_a_person_signs_in_with_their_password_alone(store) -> None:
    add_person(store, " Ann ", Role.REVIEWER, PASSWORD)
    found = sign_in(store, "Ann", PASSWORD)
    assert found is not None
    assert (found.name, found.role, found.is_removed) == ("Ann", Role.REVIEWER, False)
    assert [sign_in(store, *tried) for tried in (("Ann", "wrong"), ("Bo", PASSWORD), ("Ann", ""))] == [None] * 3
    set_password(store, found.id, "another long one")
    assert sign_in(store, "Ann", PASSWORD) is None
    assert sign_in(store, "Ann", "another long one") is not None


def test_neither_passwords_nor_tokens_are_in_the_database(store) -> None:
    token = invite(store, Role.ANNOTATOR)
    accept_invitation(store, token, "Ann", PASSWORD)
    held = everything(store)
    assert PASSWORD not in held
    assert token not in held
    assert "$argon2id$" in held
    with store.read() as connection:
        assert "argon2" not in str(connection.execute(text("SELECT body FROM events")).all())


def test_an_invitation_lets_one_person_in_once(store) -> None:
    token = invite(store, Role.REVIEWER)
    done = []

    def accept(name: str) -> None:
        try:
            done.append(accept_invitation(store, token, name, PASSWORD))
        except DataError as refused:
            done.append(str(refused))

    threads = [threading.Thread(target=accept, args=(name,)) for name in ("Ann", "Bo", "Cy")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [person.role for person in list_people(store)] == [Role.REVIEWER]
    assert sum("unknown, used or too old" in str(one) for one in done) == 2


def test_an_invitation_expires(store, clock) -> None:
    token = invite(store, Role.ANNOTATOR, valid_s=60)
    clock.advance(60)
    with pytest.raises(DataError, match="too old"):
        accept_invitation(store, token, "Ann", PASSWORD)
    with pytest.raises(DataError, match="unknown"):
        accept_invitation(store, "no such token", "Ann", PASSWORD)


def test_an_invitation_ends_with_its_sender_or_when_it_is_revoked(store) -> None:
    ann = add_person(store, "Ann", Role.ADMIN)
    sent, other = invite(store, Role.ADMIN, by=ann), invite(store, Role.ANNOTATOR)
    remove_person(store, ann)
    with pytest.raises(DataError, match="who sent this invitation was removed"):
        accept_invitation(store, sent, "Bo", PASSWORD)
    revoke_invitation(store, other)
    for attempt in (lambda: accept_invitation(store, other, "Bo", PASSWORD), lambda: revoke_invitation(store, other)):
        with pytest.raises(DataError, match="unknown, used or too old"):
            attempt()
    assert [person.name for person in list_people(store)] == ["Ann"]


def test_half_a_character_is_no_password(store) -> None:
    with pytest.raises(DataError, match="half a character"):
        add_person(store, "Ann", Role.ADMIN, "correct horse \ud83d")
    add_person(store, "Ann", Role.ADMIN, PASSWORD)
    assert sign_in(store, "Ann", "correct horse \ud83d") is None


def test_a_name_that_is_taken_does_not_use_the_invitation_up(store) -> None:
    add_person(store, "Ann", Role.ADMIN)
    token = invite(store, Role.ANNOTATOR)
    with pytest.raises(DataError, match="already somebody named 'Ann'"):
        accept_invitation(store, token, "Ann", PASSWORD)
    assert accept_invitation(store, token, "Bo", PASSWORD)


@pytest.mark.parametrize("password", ["short", "x" * 1001])
def test_a_password_has_a_sensible_length(store, password: str) -> None:
    with pytest.raises(DataError, match=r"expected 10 to 1000"):
        add_person(store, "Ann", Role.ADMIN, password)
    assert list_people(store) == ()


def test_a_role_can_change(store) -> None:
    ann = add_person(store, "Ann", Role.ANNOTATOR)
    change_role(store, ann, Role.ADMIN)
    assert list_people(store)[0].role == Role.ADMIN
    with pytest.raises(DataError, match="there is nobody with the id 99"):
        change_role(store, 99, Role.ADMIN)
