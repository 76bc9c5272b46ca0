"""The log in words, its end, and going through it."""

from __future__ import annotations

import sqlite3
import time

import pytest
from annotation_team import items

from instructglm.annotation.store.chain import head
from instructglm.annotation.store.events import newest_events
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import add_guideline, create_project
from instructglm.annotation.store.tables import Role


def checked(admin, **fields: str) -> str:
    """The page once a check is over."""
    assert admin.form("/log/verify", **fields).headers["location"] == "/log#check"
    for _ in range(200):
        if not admin.get("/api/log/verify").json()["is_running"]:
            return admin.get("/log").text
        time.sleep(0.02)
    raise AssertionError("the check does not end")


def test_events_are_told_newest_first_with_names(store) -> None:
    ann = add_person(store, "Ann", Role.ADMIN)
    project = create_project(store, "law", person=ann)
    import_records(store, project, items(3), person=ann)
    newest, made, added = newest_events(store)
    assert (newest.kind, newest.person, newest.project, newest.body["instructions"]) == ("imported", "Ann", "law", 3)
    assert (made.number, added.person, added.about) == (2, None, "Ann")
    assert [one.number for one in newest_events(store, before=3, limit=1)] == [2]


def test_the_log_is_told_in_words_and_page_by_page(visit, local_store, project) -> None:
    admin = visit(Role.ADMIN)
    for number in range(60):
        add_guideline(local_store, project, f"Version {number}")
    page = admin.get("/log").text
    assert "Guideline, version 60" in page
    assert "Project made" not in page
    with local_store.read() as connection:
        end = head(connection)
    assert f'value="{end.spelled()}"' in page
    older = admin.get(f"/log?before={end.number - 49}").text
    assert "Project made: law" in older
    assert f"{admin.name} is here now (Admin)" in older
    for strange in ("0", "x", "9" * 30, "-5"):
        assert admin.get(f"/log?before={strange}").status_code == 200


def test_an_event_of_a_kind_without_words_is_told_by_its_name(visit, local_store) -> None:
    from instructglm.annotation.store.chain import Change, record

    with local_store.write() as write:
        record(write, Change("<b>moved</b>", body={"person": "nobody", "x": {"a": 1}}))
        record(write, Change("round opened", body={}))
        record(write, Change("role changed", body={"person": 99, "role": "x" * 500}))
    page = visit(Role.ADMIN).get("/log").text
    assert "&lt;b&gt;moved" in page
    assert "Round ? opened" in page
    assert "x" * 90 not in page


def test_a_check_goes_through_the_log(visit, local_store, project) -> None:
    admin = visit(Role.ADMIN)
    assert admin.get("/api/log/verify").json() == {"is_running": False}
    import_records(local_store, project, items(3))
    with local_store.read() as connection:
        kept = head(connection).spelled()
    page = checked(admin, head=kept)
    assert "Every link holds" in page
    number, digest = kept.split(":")
    assert "it is not the one that was noted down" in checked(admin, head=f"{number}:{'0' * 64}")
    assert "were noted down and are missing" in checked(admin, head=f"{int(number) + 5}:{digest}")


def test_a_change_behind_the_logs_back_is_named(visit, local_store, project, tmp_path) -> None:
    add_guideline(local_store, project, "Be kind.")
    with sqlite3.connect(tmp_path / "annotations.db") as behind:
        behind.execute("DROP TRIGGER guidelines_no_update")
        behind.execute("UPDATE guidelines SET text = 'Be rude.'")
    behind.close()
    assert "Event 2 does not fit" in checked(visit(Role.ADMIN))


@pytest.mark.parametrize("noted", ["1", "x:y", "1:" + "0" * 63, "9" * 30 + ":" + "0" * 64, "<b>" * 50])
def test_a_head_that_is_none_is_told(visit, noted) -> None:
    answer = visit(Role.ADMIN).form("/log/verify", head=noted)
    assert (answer.status_code, "expected NUMBER:HASH" in answer.text) == (400, True)
    assert "<b><b>" not in answer.text


def test_a_check_that_cannot_be_done_says_so(visit, local_store, monkeypatch) -> None:
    from instructglm.core.errors import StorageError
    from instructglm.studio import checking

    def refuse(*_: object) -> None:
        raise StorageError("the disk fails", hint="Choose another disk.")

    monkeypatch.setattr(checking, "verify", refuse)
    assert "the disk fails" in checked(visit(Role.ADMIN))
