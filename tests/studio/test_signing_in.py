"""Signing in and out, joining, sessions, and the password."""

from __future__ import annotations

import pytest
from databases import HandClock
from starlette.testclient import TestClient
from visitors import PASSWORD, csrf_in

from instructglm.annotation.queue.leases import remove_person
from instructglm.annotation.store import Store
from instructglm.annotation.store.invitations import invite, revoke_invitation
from instructglm.annotation.store.people import add_person, change_role, list_people
from instructglm.annotation.store.sessions import IDLE_S, start_session, whose_session
from instructglm.annotation.store.tables import Role
from instructglm.studio.attempts import MOST_OF_ADDRESS, MOST_OF_NAME, WITHIN_S, Attempts
from instructglm.studio.guard import COOKIE


def _sign_in(pages: TestClient, name: str = "Ann", password: str = PASSWORD, **fields: str) -> int:
    return pages.post("/sign-in", data={"name": name, "password": password, **fields}).status_code


def test_who_is_signed_in_sees_the_projects_and_who_is_not_the_form(pages, local_store):
    add_person(local_store, "Ann", Role.ANNOTATOR, PASSWORD)
    away = pages.get("/")
    assert (away.status_code, away.headers["location"]) == (303, "/sign-in?next=/")
    assert _sign_in(pages) == 303
    assert pages.get("/").status_code == 200
    cookie = pages.cookies.jar
    (held,) = [one for one in cookie if one.name == COOKIE]
    assert held.has_nonstandard_attr("HttpOnly")


def test_a_wrong_password_and_a_wrong_name_are_answered_alike(pages, local_store):
    add_person(local_store, "Ann", Role.ANNOTATOR, PASSWORD)
    add_person(local_store, "No password", Role.ANNOTATOR)
    for name in ("Ann", "nobody", "No password"):
        answer = pages.post("/sign-in", data={"name": name, "password": "wrong, wrong, wrong"})
        assert answer.status_code == 401
        assert "do not fit together" in answer.text


@pytest.mark.parametrize("path", ["//evil.example/", "https://evil.example", "/\\evil.example", "javascript:1", "/\tx"])
def test_signing_in_leads_to_no_other_site(pages, local_store, path):
    add_person(local_store, "Ann", Role.ANNOTATOR, PASSWORD)
    answer = pages.post("/sign-in", data={"name": "Ann", "password": PASSWORD, "next": path})
    assert answer.headers["location"] == "/"


def test_a_session_ends_when_one_signs_out(pages, local_store):
    add_person(local_store, "Ann", Role.ANNOTATOR, PASSWORD)
    _sign_in(pages)
    kept = pages.cookies[COOKIE]
    assert pages.post("/sign-out", data={"csrf": csrf_in(pages.get("/").text)}).status_code == 303
    pages.cookies.set(COOKIE, kept)
    assert pages.get("/").status_code == 303


def test_a_session_ends_when_it_is_not_used(local_store: Store, clock: HandClock):
    ann = add_person(local_store, "Ann", Role.ANNOTATOR, PASSWORD)
    token = start_session(local_store, ann)
    clock.advance(IDLE_S - 1)
    assert whose_session(local_store, token) is not None
    clock.advance(IDLE_S - 1)
    assert whose_session(local_store, token) is not None
    clock.advance(IDLE_S)
    assert whose_session(local_store, token) is None


def test_the_store_holds_no_session_and_no_invitation_in_clear(store: Store, tmp_path):
    ann = add_person(store, "Ann", Role.ANNOTATOR, PASSWORD)
    secrets = [start_session(store, ann), invite(store, Role.ADMIN), PASSWORD]
    with store.read() as connection:
        for table in ("people", "sessions", "invitations", "events"):
            rows = connection.exec_driver_sql(f"SELECT * FROM {table}").all()
            assert not any(secret in str(row) for row in rows for secret in secrets)


def test_who_is_removed_is_out_at_once_and_a_role_holds_at_once(pages, local_store):
    ann = add_person(local_store, "Ann", Role.ANNOTATOR, PASSWORD)
    _sign_in(pages)
    change_role(local_store, ann, Role.ADMIN)
    assert 'href="/people"' in pages.get("/").text
    remove_person(local_store, ann)
    assert pages.get("/").status_code == 303
    assert _sign_in(pages) == 401


def test_another_password_signs_out_all_other_browsers(pages, local_store):
    ann = add_person(local_store, "Ann", Role.ANNOTATOR, PASSWORD)
    other = start_session(local_store, ann)
    _sign_in(pages)
    fields = {"csrf": csrf_in(pages.get("/").text), "new": "another sentence"}
    assert pages.post("/account/password", data={**fields, "old": "not this one"}).status_code == 400
    assert whose_session(local_store, other) is not None
    answer = pages.post("/account/password", data={**fields, "old": PASSWORD})
    assert answer.status_code == 200
    assert whose_session(local_store, other) is None
    assert pages.get("/account").status_code == 200
    assert _sign_in(pages) == 401
    assert _sign_in(pages, password="another sentence") == 303


def test_an_invitation_lets_one_person_in_once(pages, local_store):
    token = invite(local_store, Role.REVIEWER)
    fields = {"token": token, "name": "Bea", "password": PASSWORD}
    assert pages.post("/join", data={**fields, "password": "short"}).status_code == 400
    assert pages.post("/join", data=fields).status_code == 303
    assert pages.get("/account").status_code == 200
    assert [(one.name, one.role) for one in list_people(local_store)] == [("Bea", Role.REVIEWER)]
    again = pages.post("/join", data={**fields, "name": "Carl"})
    assert (again.status_code, "used or too old" in again.text) == (400, True)


def test_an_invitation_ends(pages, local_store, clock):
    late, revoked = invite(local_store, Role.ANNOTATOR, valid_s=60), invite(local_store, Role.ANNOTATOR)
    revoke_invitation(local_store, revoked)
    clock.advance(60)
    for token in (late, revoked, "made up", ""):
        answer = pages.post("/join", data={"token": token, "name": "Bea", "password": PASSWORD})
        assert answer.status_code in (400, 422), token
    assert list_people(local_store) == ()


def test_who_fails_too_often_waits_even_with_the_right_password(pages, local_store):
    add_person(local_store, "Ann", Role.ANNOTATOR, PASSWORD)
    codes = [_sign_in(pages, password="wrong, wrong, wrong") for _ in range(MOST_OF_NAME)]
    assert codes == [401] * MOST_OF_NAME
    answer = pages.post("/sign-in", data={"name": "Ann", "password": PASSWORD})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= WITHIN_S


def test_attempts_are_counted_by_name_and_by_address_and_forgotten():
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    for number in range(MOST_OF_ADDRESS):
        assert attempts.begin(f"name {number}", "1.2.3.4") is None
    assert attempts.begin("Ann", "1.2.3.4") == WITHIN_S
    assert attempts.begin("Ann", "5.6.7.8") is None
    now[0] = WITHIN_S
    assert attempts.begin("Ann", "1.2.3.4") is None


def test_the_addresses_of_one_household_count_together():
    attempts = Attempts(lambda: 0.0)
    for number in range(MOST_OF_ADDRESS):
        assert attempts.begin(f"name {number}", f"2001:db8::{number:x}") is None
    assert attempts.begin("Ann", "2001:db8::ffff") is not None
    assert attempts.begin("Ann", "2001:db8:0:1::1") is None


def test_a_right_attempt_does_not_count():
    attempts = Attempts(lambda: 0.0)
    for _ in range(10 * MOST_OF_ADDRESS):
        assert attempts.begin("Ann", "1.2.3.4") is None
        attempts.succeeded("Ann", "1.2.3.4")


def test_a_link_that_is_tried_too_often_holds_nobody_else_up(pages, local_store):
    fields = {"name": "Bea", "password": PASSWORD}
    codes = [pages.post("/join", data={**fields, "token": "made up"}).status_code for _ in range(MOST_OF_NAME + 1)]
    assert codes == [400] * MOST_OF_NAME + [429]
    assert pages.post("/join", data={**fields, "token": invite(local_store, Role.ANNOTATOR)}).status_code == 303
