"""Every route has a door, and every door holds: roles, origins, tokens, sizes, headers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import pytest
from starlette.testclient import TestClient

from instructglm.annotation.store.tables import Role
from instructglm.studio.guard import Guarded
from instructglm.studio.routes import ROUTERS

PUBLIC = {(method, path) for path in ("/sign-in", "/join", "/reset") for method in ("GET", "POST")}
RISING = (None, Role.ANNOTATOR, Role.REVIEWER, Role.ADMIN)


def _routes() -> Iterator[tuple[str, str, Role | None]]:
    """Method, path and least role of all there are."""
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, Guarded), f"{route} has no door"
            for method in sorted(route.methods):
                yield method, route.path, route.role


ROUTES = sorted(_routes(), key=str)


def _path(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "1", path)


def test_only_these_are_for_everybody():
    assert {(method, path) for method, path, role in ROUTES if role is None} == PUBLIC


@pytest.mark.parametrize(("method", "path", "role"), ROUTES, ids=lambda value: str(value))
def test_nobody_passes_without_the_right_role(method, path, role, pages, visit):
    lower = dict(pairwise(RISING))
    below = [one for one, above in lower.items() if RISING.index(above) <= RISING.index(role)]
    for one in below:
        client = pages if one is None else visit(one).client
        answer = client.request(method, _path(path), headers={"Accept": "text/html"})
        expected = (401, 303) if one is None else (403,)
        assert answer.status_code in expected, (one, answer.text)
        assert answer.headers.get("location", "/sign-in").startswith("/sign-in")


@pytest.mark.parametrize(("method", "path", "role"), [one for one in ROUTES if one[0] != "GET"], ids=str)
def test_what_changes_something_comes_from_a_page_of_ours(method, path, role, visit):
    someone = visit(Role.ADMIN)
    headers = {"X-CSRF-Token": someone.csrf}
    for foreign in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        answer = someone.client.request(method, _path(path), headers=headers | foreign)
        assert (answer.status_code, "another site" in answer.text) == (403, True)
    if role is not None:
        for token in ({}, {"X-CSRF-Token": "0" * 64}, {"X-CSRF-Token": "ü".encode()}):
            answer = someone.client.request(method, _path(path), headers=token)
            assert (answer.status_code, "out of date" in answer.text) == (403, True)


def test_pages_may_run_no_script_but_ours(pages: TestClient):
    for path in ("/sign-in", "/join", "/nowhere", "/static/frame.css"):
        headers = pages.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"


def test_no_page_holds_a_script_or_a_style_of_its_own(visit):
    from importlib import resources

    for file in (resources.files("instructglm.studio") / "pages").iterdir():
        if file.name.endswith(".html"):
            text = file.read_text(encoding="utf-8")
            assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:", text), file.name
            assert not re.search(r'<script(?![^>]*\bsrc=|[^>]*type="application/json")', text), file.name
            assert not re.search(r'(?:src|href)="(?:https?:)?//', text), file.name


def test_another_host_name_finds_nothing(local_store):
    from instructglm.studio import create_app

    with TestClient(create_app(local_store), base_url="http://evil.example") as client:
        assert client.get("/sign-in").status_code == 400


def test_a_body_that_is_too_large_is_refused(local_store):
    from instructglm.studio import Options, create_app

    with TestClient(create_app(local_store, Options(max_body_bytes=1000)), base_url="http://localhost") as client:
        answer = client.post("/sign-in", data={"name": "x" * 2000, "password": "y"})
        assert answer.status_code == 413


def test_an_error_of_ours_shows_nothing_of_the_inside(local_store, monkeypatch):
    from instructglm.studio import create_app
    from instructglm.studio.routes import signing_in

    monkeypatch.setattr(signing_in, "sign_in", lambda *_: 1 / 0)
    client = TestClient(create_app(local_store), base_url="http://localhost", raise_server_exceptions=False)
    answer = client.post("/sign-in", data={"name": "Ann", "password": "a secret of mine"})
    assert answer.status_code == 500
    assert "our mistake" in answer.text
    assert not re.search("ZeroDivision|Traceback|secret", answer.text)
