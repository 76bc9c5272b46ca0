"""Looking through instructions, and what can be done with one."""

from __future__ import annotations

import re

import pytest
from annotation_team import items

from instructglm.annotation.queue.gold import gold_of
from instructglm.annotation.queue.progress import round_progress
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.one_instruction import see_instruction
from instructglm.annotation.store.projects import create_project
from instructglm.annotation.store.reading import instructions, outputs
from instructglm.annotation.store.tables import Role


@pytest.fixture
def filled(local_store, project) -> int:
    import_records(local_store, project, items(120, domains=("law", "medicine", "")))
    return project


def ids(page: str) -> list[int]:
    return [int(one) for one in re.findall(r'class="clip" href="/projects/1/items/(\d+)"', page)]


def test_all_instructions_are_walked_through_page_by_page(visit, local_store, filled) -> None:
    admin, path, found = visit(Role.ADMIN), f"/projects/{filled}/items", []
    while path:
        page = admin.get(path).text
        found += ids(page)
        following = re.search(r'rel="next" href="([^"]*)"', page)
        path = following[1].replace("&amp;", "&") if following else ""
    assert found == [one.id for one in instructions(local_store, filled)]


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        ("domain=law", 40),
        ("domain=", 40),
        ("domain=*", 50),
        ("domain=physics", 0),
        ("text=question+11", 11),
        ("text=QUESTION+119&domain=*", 1),
        ("standing=gold", 0),
        ("standing=nonsense", 50),
        ("text=" + "x" * 300, 0),
        ("after=119", 1),
        ("after=99999999999999999999", 50),
        ("after=x&text=%00%ff%ed%a0%bd", 0),
        ("text=%25", 0),
    ],
)
def test_instructions_are_found_by_what_is_asked_for(visit, filled, asked, number) -> None:
    answer = visit(Role.ADMIN).get(f"/projects/{filled}/items?{asked}")
    assert answer.status_code == 200
    assert len(ids(answer.text)) == number
    assert number or "No instruction fits" in answer.text


def test_a_next_page_keeps_what_is_asked_for(visit, local_store, filled) -> None:
    admin = visit(Role.ADMIN)
    page = admin.get(f"/projects/{filled}/items?text=question&domain=*").text
    (following,) = re.findall(r'rel="next" href="([^"]*)"', page)
    assert following == f"/projects/{filled}/items?domain=%2A&amp;text=question&amp;after={ids(page)[-1]}"


def test_an_instruction_is_shown_with_where_its_outputs_come_from(visit, local_store, project) -> None:
    held = {"instruction": "<i>Is it?</i>", "outputs": ["yes", {"text": "no", "model": "glm"}], "domain": "law"}
    import_records(local_store, project, [("x", {**held, "extra": {"page": 7}, "licence": "CC0"})])
    page = visit(Role.ADMIN).get(f"/projects/{project}/items/1").text
    for told in ("&lt;i&gt;Is it?", "drafted by glm", "imported", "CC0", "page", "law"):
        assert told in page


def test_an_instruction_and_an_output_are_withdrawn_with_a_reason(visit, local_store, filled) -> None:
    admin = visit(Role.ADMIN)
    path, first = f"/projects/{filled}/items/1", next(iter(outputs(local_store, filled)))
    gone = admin.form(f"{path}/outputs/{first.id}/withdraw", reason="a <b>copy</b>")
    assert gone.headers["location"] == f"{path}?done=output_withdrawn"
    assert f"Withdrawn by {admin.name}" in admin.get(path).text
    assert "a &lt;b&gt;copy" in admin.get(path).text
    for wrong in ({}, {"reason": " "}, {"reason": "x" * 201}):
        assert admin.form(f"{path}/withdraw", **wrong).status_code == 400
    assert see_instruction(local_store, filled, 1).gone is None
    assert admin.form(f"{path}/withdraw", reason="a copy").status_code == 303
    assert admin.form(f"{path}/withdraw", reason="again").status_code == 303
    assert see_instruction(local_store, filled, 1).gone.reason == "a copy"
    assert ids(admin.get(f"/projects/{filled}/items?standing=withdrawn").text) == [1]


def test_nothing_of_another_project_is_touched(visit, local_store, filled) -> None:
    other = create_project(local_store, "other")
    import_records(local_store, other, items(1))
    admin = visit(Role.ADMIN)
    (theirs,), (their_output, *_) = instructions(local_store, other), outputs(local_store, other)
    fields = {"reason": "x", "label": "yes"}
    for move in ("withdraw", "gold", "more"):
        assert admin.form(f"/projects/{filled}/items/{theirs.id}/{move}", **fields).status_code == 404
    assert admin.form(f"/projects/{filled}/items/1/outputs/{their_output.id}/withdraw", **fields).status_code == 404
    assert admin.get(f"/projects/{filled}/items/{theirs.id}").status_code == 404
    assert see_instruction(local_store, other, theirs.id).gone is None


def test_a_known_answer_makes_a_gold_item(visit, local_store, filled) -> None:
    admin, path = visit(Role.ADMIN), f"/projects/{filled}/items/1"
    output = next(iter(outputs(local_store, filled)))
    assert admin.form(f"{path}/gold", label="yes").headers["location"] == f"{path}?done=gold"
    fields = {"output": str(output.id), "criterion": "quality", "value": "4", "tolerance": "1"}
    assert admin.form(f"{path}/gold", **fields).status_code == 303
    page = admin.get(path).text
    assert "Label: yes" in page
    assert "quality: 4 (± 1)" in page
    assert ids(admin.get(f"/projects/{filled}/items?standing=gold").text) == [1]
    for wrong in (
        {"label": "perhaps"},
        {},
        {**fields, "value": "9"},
        {**fields, "value": "nan"},
        {**fields, "criterion": "beauty"},
        {**fields, "output": "999999"},
        {**fields, "output": "9" * 30},
    ):
        assert admin.form(f"{path}/gold", **wrong).status_code == 400, wrong
    assert len(gold_of(local_store, 1)) == 2


def test_what_is_queued_becomes_no_gold_but_can_get_one_more_person(visit, local_store, filled) -> None:
    admin, path = visit(Role.ADMIN), f"/projects/{filled}/items/1"
    assert admin.form(f"{path}/more").status_code == 400
    open_round(local_store, filled)
    places = round_progress(local_store, filled)[0].num_places
    refused = admin.form(f"{path}/gold", label="yes")
    assert (refused.status_code, "in the queue of the open round" in refused.text) == (400, True)
    assert admin.form(f"{path}/more").headers["location"] == f"{path}?done=more"
    assert round_progress(local_store, filled)[0].num_places == places + 1
