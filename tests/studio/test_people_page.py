"""People as admins see them: inviting, revoking, roles, resets, removing, and the last admin."""

from __future__ import annotations

import re

import pytest
from annotation_team import items
from starlette.testclient import TestClient
from visitors import PASSWORD, csrf_in, person_in

from instructglm.annotation.queue.claim import next_task
from instructglm.annotation.queue.progress import round_progress
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.members import list_members, open_invitations
from instructglm.annotation.store.people import add_person, sign_in
from instructglm.annotation.store.sessions import start_session
from instructglm.annotation.store.tables import Role
from instructglm.studio import Options, create_app
from instructglm.studio.guard import COOKIE

OTHER = "a sentence of another kind"


def link_in(page: str, kind: str) -> str:
    """The token of the one link that a page shows."""
    (link,) = set(re.findall(rf'value="http://localhost/{kind}#([\w-]+)"', page))
    return link


def test_an_invitation_is_shown_once_and_lets_somebody_in(visit, pages) -> None:
    admin = visit(Role.ADMIN)
    answer = admin.form("/people/invitations", role="reviewer", days="7")
    assert answer.status_code == 200
    token = link_in(answer.text, "join")
    assert "within 7 days" in answer.text
    later = admin.get("/people").text
    assert token not in later
    assert f"Reviewer</td>\n      <td>{admin.name}" in later
    assert pages.post("/join", data={"token": token, "name": "Bea", "password": PASSWORD}).status_code == 303
    assert "Bea" in admin.get("/people").text


def test_where_browsers_come_by_https_links_lead_there(local_store) -> None:
    app = create_app(local_store, Options(is_https=True))
    admin = person_in(TestClient(app, base_url="https://localhost", follow_redirects=False), local_store, Role.ADMIN)
    admin.client.base_url = "http://localhost"  # what the proxy asks us by; it hands the cookie on
    admin.client.cookies = {COOKIE: start_session(local_store, admin.person)}
    csrf = csrf_in(admin.get("/account").text)
    for path, page in (("/people/invitations", "join"), (f"/people/{admin.person}/reset", "reset")):
        answer = admin.form(path, csrf=csrf, role="annotator", days="1")
        assert re.findall(r'value="(\S+)#[\w-]+"', answer.text) == [f"https://localhost/{page}"]


@pytest.mark.parametrize(
    "fields", [{}, {"role": "king", "days": "7"}, {"role": "admin", "days": "0"}, {"role": "admin"}]
)
def test_an_invitation_that_is_none_is_refused(visit, local_store, fields) -> None:
    assert visit(Role.ADMIN).form("/people/invitations", **fields).status_code == 422
    assert open_invitations(local_store) == ()


def test_a_link_is_revoked_once(visit, local_store, pages) -> None:
    admin = visit(Role.ADMIN)
    token = link_in(admin.form("/people/invitations", role="annotator", days="1").text, "join")
    (held,) = open_invitations(local_store)
    path = f"/people/invitations/{held.id}/revoke"
    assert admin.form(path).headers["location"] == "/people?done=revoked"
    assert "lets nobody in" in admin.get("/people?done=revoked").text
    assert pages.post("/join", data={"token": token, "name": "Bea", "password": PASSWORD}).status_code == 400
    assert admin.form(path).status_code == 400


def test_a_role_is_changed_at_once(visit, local_store) -> None:
    admin, ann = visit(Role.ADMIN), visit(Role.ANNOTATOR)
    assert ann.get("/people").status_code == 403
    assert admin.form(f"/people/{ann.person}/role", role="admin").headers["location"] == "/people?done=role"
    assert ann.get("/people").status_code == 200
    assert admin.form(f"/people/{admin.person}/role", role="annotator").headers["location"] == "/"
    assert admin.get("/people").status_code == 403


def test_the_last_admin_cannot_be_removed_or_get_another_role(visit, local_store) -> None:
    admin = visit(Role.ADMIN)
    page = admin.get("/people").text
    assert "There is one admin" in page
    assert f"/people/{admin.person}/remove" not in page
    for answer in (
        admin.form(f"/people/{admin.person}/role", role="reviewer"),
        admin.form(f"/people/{admin.person}/remove"),
    ):
        assert (answer.status_code, "the last admin has to stay one" in answer.text) == (400, True)
    assert admin.get("/people").status_code == 200


def test_a_reset_link_gives_another_password_that_the_admin_never_sees(visit, local_store, pages) -> None:
    admin, ann = visit(Role.ADMIN), visit(Role.ANNOTATOR)
    answer = admin.form(f"/people/{ann.person}/reset")
    token = link_in(answer.text, "reset")
    assert ann.name in admin.get("/people").text
    assert "Another password for" in admin.get("/people").text
    assert pages.post("/join", data={"token": token, "name": "Eve", "password": PASSWORD}).status_code == 400
    assert pages.get("/reset").status_code == 200
    assert pages.post("/reset", data={"token": token, "password": "short"}).status_code == 400
    assert pages.post("/reset", data={"token": token, "password": OTHER}).status_code == 303
    assert f"<h1>{ann.name}</h1>" in pages.get("/account").text
    assert ann.get("/account").status_code == 303, "signed out by it"
    assert sign_in(local_store, ann.name, OTHER) is not None
    assert pages.post("/reset", data={"token": token, "password": PASSWORD}).status_code == 400


def test_resets_are_tried_only_so_often(pages) -> None:
    codes = [pages.post("/reset", data={"token": "x", "password": OTHER}).status_code for _ in range(9)]
    assert codes == [400] * 8 + [429]


def test_removing_tells_what_happens_to_what_somebody_holds(visit, local_store, project) -> None:
    admin, ann = visit(Role.ADMIN), visit(Role.ANNOTATOR)
    assert "They hold no item now" in admin.get(f"/people/{ann.person}/remove").text
    import_records(local_store, project, items(2))
    open_round(local_store, project)
    next_task(local_store, project, ann.person)
    assert "The items in their hands (1) go back" in admin.get(f"/people/{ann.person}/remove").text
    assert admin.form(f"/people/{ann.person}/remove").headers["location"] == "/people?done=removed"
    assert round_progress(local_store, project)[0].num_leased == 0
    assert ann.get("/").status_code == 303
    assert list_members(local_store)[-1].removed_ms is not None
    assert "Who was removed" in admin.get("/people").text
    for path in (f"/people/{ann.person}/remove", f"/people/{ann.person}/role", f"/people/{ann.person}/reset"):
        assert admin.form(path, role="admin").status_code == 404


@pytest.mark.parametrize("person", ["0", "-1", "x", "9007199254740992", "1e3"])
def test_nobody_of_a_strange_number_is_found(visit, person) -> None:
    admin = visit(Role.ADMIN)
    for move in ("role", "reset", "remove"):
        assert admin.form(f"/people/{person}/{move}", role="admin").status_code == 422
    assert admin.form("/people/99/reset").status_code == 404


def test_names_are_shown_as_text(visit, local_store) -> None:
    add_person(local_store, "<b>Ann</b>\u202e{{ 7 * 7 }}\0", Role.ANNOTATOR)
    page = visit(Role.ADMIN).get("/people").text
    assert "&lt;b&gt;Ann" in page
    assert "<b>Ann" not in page
    assert "{{ 7 * 7 }}" in page
    assert "has no password and cannot sign in" in page
