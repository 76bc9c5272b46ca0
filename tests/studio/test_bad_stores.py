"""A store or a disk that fails while the pages are served: a clear answer, no row lost, and on as before afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
from annotation_team import items
from sqlalchemy import event
from starlette.testclient import TestClient
from visitors import Visit, person_in

from instructglm.annotation.queue.mine import my_answers
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.store import Store, open_store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.projects import create_project
from instructglm.annotation.store.tables import Role
from instructglm.annotation.store.verify import verify
from instructglm.studio import create_app
from instructglm.studio.uploads import Uploads


@pytest.fixture
def busy_store(tmp_path: Path, clock) -> Iterator[Store]:
    """A store with an item, that waits for other writers no longer than a test should."""
    with open_store(tmp_path / "annotations.db", create=True, clock=clock, wait_s=0.2) as store:
        project = create_project(store, "law")
        import_records(store, project, items(1))
        open_round(store, project)
        yield store


def _visit(store: Store, role: Role) -> Visit:
    return person_in(TestClient(create_app(store), base_url="http://localhost", follow_redirects=False), store, role)


def _save(visit: Visit, text: str) -> object:
    (assignment,) = re.findall(r'"assignment":(\d+)', visit.send("/api/projects/1/next", None).text)
    return visit.send(f"/api/assignments/{assignment}/save", {"answer": {"written": [text]}, "key": "one save"})


def _fill(store: Store, most_pages: int) -> None:
    """Let the database grow no further than to so many pages, as on a full disk."""
    store.engine.dispose()
    event.listen(store.engine, "connect", lambda raw, _: raw.execute(f"PRAGMA max_page_count = {most_pages}"))


def test_on_a_full_disk_pages_are_read_and_a_save_is_refused_and_can_be_repeated(busy_store, capsys) -> None:
    ann = _visit(busy_store, Role.ANNOTATOR)
    _fill(busy_store, 1)
    refused = _save(ann, "Because of the law. " * 50_000)
    assert refused.status_code == 503
    assert "Free some space" in refused.json()["error"]["hint"]
    assert "the disk is full" in capsys.readouterr().err
    assert ann.get("/").status_code == 200
    _fill(busy_store, 1_000_000)
    assert _save(ann, "Because of the law. " * 50_000).status_code == 200
    assert verify(busy_store).broken is None


def test_pages_are_read_while_somebody_else_writes(busy_store, clock) -> None:
    ann = _visit(busy_store, Role.ANNOTATOR)
    clock.advance(7200)  # her session's use is due to be noted
    with busy_store.write():
        assert ann.get("/projects/1/mine").status_code == 200
        assert ann.send("/api/projects/1/next", None).status_code == 503
    assert ann.send("/api/projects/1/next", None).status_code == 200


def test_where_the_store_lies_is_told_to_admins_alone(busy_store, capsys) -> None:
    place = str(busy_store)
    for role, is_told in ((Role.ANNOTATOR, False), (Role.ADMIN, True)):
        visit = _visit(busy_store, role)
        with busy_store.write():
            answer = visit.send("/api/projects/1/next", None)
        assert (answer.status_code, place in answer.text) == (503, is_told)
        assert place in capsys.readouterr().err
    stranger = TestClient(create_app(busy_store), base_url="http://localhost")
    busy_store.engine.dispose()
    Path(place).write_bytes(b"no database at all" * 1000)
    answer = stranger.post("/sign-in", data={"name": "Ann", "password": "a sentence"})
    assert (answer.status_code, place in answer.text) == (503, False)


def test_connections_that_the_database_server_ended_are_made_anew(empty_postgres) -> None:
    import psycopg

    place = empty_postgres()
    with open_store(place, create=True) as store:
        project = create_project(store, "law")
        import_records(store, project, items(1))
        open_round(store, project)
        ann = _visit(store, Role.ANNOTATOR)
        with psycopg.connect(place, autocommit=True) as server:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            (ended,) = server.execute(f"SELECT count(*) FROM ({others} AND pid <> pg_backend_pid()) AS o").fetchone()
        assert ended > 0
        assert _save(ann, "Because.").status_code == 200


def test_a_clock_that_goes_back_keeps_nobody_from_work(busy_store, clock) -> None:
    ann, bo, eve = (_visit(busy_store, role) for role in (Role.ANNOTATOR, Role.ANNOTATOR, Role.ADMIN))
    assert _save(ann, "Because.").status_code == 200
    clock.advance(-30 * 24 * 3600)
    assert ann.send("/api/assignments/1/save", {"answer": {"written": ["So."]}, "key": "2", "based_on": 1}).is_success
    assert _save(bo, "Why not?").status_code == 200
    for path in ("", "/mine", "/progress", "/review", "/review/1", "/agreement", "/rounds", "/items/1"):
        assert eve.get(f"/projects/1{path}" if path else "/log").status_code == 200, path
    assert [len(one.answer.written) for one in my_answers(busy_store, 1, ann.person)] == [1]
    assert verify(busy_store).broken is None


def test_a_file_for_which_there_is_no_room_leaves_nothing(monkeypatch) -> None:
    uploads = Uploads()
    monkeypatch.setattr("secrets.token_urlsafe", lambda _: "token")
    kept = uploads.keep(1, "first.jsonl", BytesIO(b"{}"))
    uploads.drop(kept.token)
    kept.path.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        uploads.keep(1, "large.jsonl", BytesIO(b"{}"))
    assert list(kept.path.parent.iterdir()) == []
    assert uploads.find(1, "token") is None


def test_a_request_for_which_there_is_no_room_is_told(busy_store, monkeypatch) -> None:
    """The server lays a large file aside before anything else of it is done."""
    admin = _visit(busy_store, Role.ADMIN)
    full = partial(open, "/dev/full", "wb", buffering=0)
    monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile", lambda max_size: full())
    answer = admin.client.post(
        "/projects/1/import/preview", files={"file": ("a.jsonl", b"{}" * 1000)}, headers={"X-CSRF-Token": admin.csrf}
    )
    assert (answer.status_code, "No space left" in answer.text) == (503, True)
