"""Rounds: told before what will happen, and done as it was told."""

from __future__ import annotations

import re

import pytest
from annotation_team import items

from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.claim import next_task
from instructglm.annotation.queue.progress import round_progress
from instructglm.annotation.queue.rounds import list_rounds, open_round
from instructglm.annotation.queue.save import save
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.projects import Settings, create_project
from instructglm.annotation.store.tables import Role


@pytest.fixture
def filled(local_store, project) -> int:
    import_records(local_store, project, items(10, domains=("law", "medicine")))
    return project


def figures(page: str) -> list[int]:
    return [int(one) for one in re.findall(r'<span class="big">(\d+)</span>', page)]


def answer_all(store, project, people, labels) -> None:
    for person, label in zip(people, labels, strict=True):
        for number in range(10):
            task = next_task(store, project, person)
            said = Answer(label=label if task.domain == "law" else "yes")
            save(store, person, task.assignment, said, key=f"{person} {number}", based_on=0)


@pytest.mark.parametrize(
    ("fields", "num_items", "num_places"),
    [
        ({"which": "all"}, 10, 20),
        ({"which": "all", "share": "25"}, 3, 6),
        ({"which": "all", "annotators": "3", "domain": "law"}, 5, 15),
        ({"which": "few", "fewer_than": "1", "domain": "medicine", "blind": "1", "delay": "24"}, 5, 10),
        ({"which": "nonsense"}, 10, 20),
    ],
    ids=str,
)
def test_a_round_is_opened_as_it_was_planned(visit, local_store, filled, fields, num_items, num_places) -> None:
    admin = visit(Role.ADMIN)
    if fields["which"] == "few":
        fields = {**fields, "fewer_than": "2"}
    page = admin.client.get(f"/projects/{filled}/rounds/new", params=fields).text
    assert figures(page)[:2] == [num_items, num_places]
    assert list_rounds(local_store, filled) == ()
    sent = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    del sent["csrf"]
    assert sent == fields
    answer = admin.form(f"/projects/{filled}/rounds/new", **sent)
    assert answer.headers["location"] == f"/projects/{filled}/rounds?done=opened"
    (found,) = round_progress(local_store, filled)
    assert (found.num_items, found.num_places) == (num_items, num_places)
    (made,) = list_rounds(local_store, filled)
    assert (made.blind, made.delay_ms) == (bool(fields.get("blind")), 86_400_000 if fields.get("delay") else 0)
    assert "The round is open" in admin.get(answer.headers["location"]).text


def test_a_second_round_of_what_people_differ_on(visit, local_store, filled) -> None:
    people = [visit(Role.ANNOTATOR).person for _ in range(2)]
    open_round(local_store, filled)
    answer_all(local_store, filled, people, ("yes", "no"))
    admin = visit(Role.ADMIN)
    for fields in ({"which": "split"}, {"which": "confused", "first": "no", "second": "yes"}):
        page = admin.client.get(f"/projects/{filled}/rounds/new", params=fields).text
        assert figures(page) == [5, 10, 3]
        assert "Round 1 is closed by it" in page
    page = admin.client.get(f"/projects/{filled}/rounds/new", params={"which": "split", "criterion": "quality"}).text
    assert "No item fits this choice" in page
    assert admin.form(f"/projects/{filled}/rounds/new", which="split", criterion="quality").status_code == 400
    assert len(list_rounds(local_store, filled)) == 1


FAULTS = [
    {"share": "0"}, {"share": "101"}, {"share": "x"}, {"annotators": "0"}, {"annotators": "1.5"},
    {"annotators": "9" * 400}, {"delay": "-1"}, {"delay": "inf"}, {"apart": "-1"}, {"fewer_than": "0"},
]  # fmt: skip


@pytest.mark.parametrize("fields", FAULTS, ids=str)
def test_a_number_that_means_nothing_is_told_at_its_field(visit, local_store, filled, fields) -> None:
    admin, path = visit(Role.ADMIN), f"/projects/{filled}/rounds/new"
    asked = {"which": "all", **fields}
    for answer in (admin.client.get(path, params=asked), admin.form(path, **asked)):
        assert answer.status_code == 400
        assert f'id="fault-{next(iter(fields))}"' in answer.text
    assert list_rounds(local_store, filled) == ()


def test_more_people_are_asked_for_as_it_was_told(visit, local_store, filled) -> None:
    admin, path = visit(Role.ADMIN), f"/projects/{filled}/rounds/more"
    fields = {"which": "all", "domain": "law", "extra": "2"}
    assert figures(admin.client.get(path, params=fields).text) == [0, 0]
    assert admin.form(path, **fields).status_code == 400
    open_round(local_store, filled)
    assert admin.get(path).status_code == 200
    assert figures(admin.client.get(path, params=fields).text) == [5, 10]
    assert admin.form(path, **fields).headers["location"] == f"/projects/{filled}/rounds?done=more"
    assert round_progress(local_store, filled)[0].num_places == 30
    for wrong in ("0", "x", "1000"):
        assert admin.client.get(path, params={**fields, "extra": wrong}).status_code == 400
        assert admin.form(path, **{**fields, "extra": wrong}).status_code == 400


def test_what_came_since_is_added_and_a_round_is_closed(visit, local_store, filled) -> None:
    admin, path = visit(Role.ADMIN), f"/projects/{filled}/rounds"
    assert "There was no round yet" in admin.get(path).text
    assert admin.form(f"{path}/add").status_code == 400
    open_round(local_store, filled)
    assert "Nothing was imported since" in admin.get(path).text
    import_records(local_store, filled, [("x", {"instruction": "New?"})])
    assert "Add the new instructions (1)" in admin.get(path).text
    assert admin.form(f"{path}/add").headers["location"] == f"{path}?done=added"
    assert round_progress(local_store, filled)[0].num_items == 11
    assert admin.form(f"{path}/close").headers["location"] == f"{path}?done=closed"
    assert not list_rounds(local_store, filled)[0].is_open
    assert admin.form(f"{path}/close").status_code == 303, "a second click changes nothing"


def test_an_empty_project_gets_no_round(visit, local_store, project) -> None:
    admin, path = visit(Role.ADMIN), f"/projects/{project}/rounds/new"
    assert "No item fits" in admin.get(f"{path}?which=all").text
    assert admin.form(path, which="all").status_code == 400


def test_a_project_without_criteria_has_its_pages_too(visit, local_store) -> None:
    project = create_project(local_store, "labels alone", Settings(criteria={}))
    import_records(local_store, project, items(2))
    admin = visit(Role.ADMIN)
    for path in ("rounds/new", "rounds/new?which=split", "rounds/more?which=all", "settings", "items/1"):
        assert admin.get(f"/projects/{project}/{path}").status_code == 200, path
