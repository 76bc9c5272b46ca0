"""Making projects, changing how they are annotated, and the versions of a guideline."""

from __future__ import annotations

import pytest

from instructglm.annotation.store.projects import (
    Settings,
    add_guideline,
    create_project,
    list_guidelines,
    list_projects,
    read_guideline,
)
from instructglm.annotation.store.tables import Role
from instructglm.studio.routes.guidelines import compared

FORM = {
    "name": "Law",
    "annotators": "3",
    "lease": "20",
    "gold": "7.5",
    "criterion": ["helpful", "correct", ""],
    "criterion_low": ["1", "0", "1"],
    "criterion_high": ["3", "1", "5"],
    "criterion_labels": ["bad\nso so\ngood", "", ""],
    "domain": ["law", ""],
    "domain_annotators": ["5", ""],
}


def test_a_project_is_made_as_it_was_filled_in(visit, local_store) -> None:
    admin = visit(Role.ADMIN)
    assert admin.get("/projects/new").status_code == 200
    answer = admin.form("/projects/new", **FORM)
    (made,) = list_projects(local_store)
    assert answer.headers["location"] == f"/projects/{made.id}/settings?done=made"
    assert "The project is made" in admin.get(answer.headers["location"]).text
    found = made.settings
    assert (made.name, found.annotators_per_item, found.annotators_per_domain) == ("Law", 3, {"law": 5})
    assert (found.lease_s, found.gold_share) == (1200, 0.075)
    assert {name: (s.low, s.high, s.labels) for name, s in found.criteria.items()} == {
        "helpful": (1, 3, ("bad", "so so", "good")),
        "correct": (0, 1, ()),
    }


def test_the_settings_that_are_shown_are_those_that_hold(visit, local_store, project) -> None:
    admin = visit(Role.ADMIN)
    before = list_projects(local_store)[0]
    import re

    page = admin.get(f"/projects/{project}/settings").text
    form = page.split('action="/projects/1/settings"')[1]
    names = ("name", "annotators", "lease", "gold", "criterion", "criterion_low", "criterion_high")
    sent = {name: re.findall(rf'name="{name}"[^>]*? value="([^"]*)"', form) for name in names}
    assert admin.form(f"/projects/{project}/settings", **sent).status_code == 303
    assert list_projects(local_store)[0] == before


FAULTS = [
    ({"name": " "}, "fault-name"),
    ({"name": "x" * 201}, "fault-name"),
    ({"name": "taken"}, "Another project has this name"),
    ({"annotators": "0"}, "A number from 1 to 100"),
    ({"annotators": "1.5"}, "A whole number"),
    ({"annotators": "9" * 500}, "A number from 1 to 100"),
    ({"annotators": "nan"}, "fault-annotators"),
    ({"lease": "0"}, "fault-lease"),
    ({"gold": "101"}, "fault-gold"),
    ({"gold": "inf"}, "fault-gold"),
    ({"criterion": ["a", "a"]}, "stands here twice"),
    ({"criterion": ["a"], "criterion_low": ["5"], "criterion_high": ["5"]}, "fault-criterion-0"),
    ({"criterion": ["a"], "criterion_low": ["0"], "criterion_high": ["999"]}, "by at most 100"),
    ({"criterion": ["a"], "criterion_low": [], "criterion_high": []}, "A number from -1000 to 1000"),
    ({"criterion": ["a"], "criterion_labels": ["one\ntwo\nthree\nfour"]}, "Found 4 descriptions"),
    ({"domain": ["law"], "domain_annotators": ["many"]}, "fault-domain-0"),
]


@pytest.mark.parametrize(("fields", "told"), FAULTS, ids=str)
def test_a_fault_is_told_at_its_field_and_nothing_is_lost_or_stored(visit, local_store, project, fields, told) -> None:
    create_project(local_store, "taken")
    before = list_projects(local_store)
    admin = visit(Role.ADMIN)
    for path in ("/projects/new", f"/projects/{project}/settings"):
        answer = admin.form(path, **{**FORM, "name": "a name of mine", **fields})
        assert (answer.status_code, told in answer.text) == (400, True), answer.text
        assert "Nothing was saved yet" in answer.text
        assert 'value="7.5"' in answer.text or "gold" in fields
    assert list_projects(local_store) == before


def test_a_project_that_is_not_there_is_told(visit) -> None:
    admin = visit(Role.ADMIN)
    for path in ("settings", "settings/guideline", "items", "import", "rounds", "rounds/new", "export?format=own"):
        assert admin.get(f"/projects/99/{path}").status_code == 404
    assert admin.form("/projects/99/settings", **FORM).status_code == 404


def test_every_version_of_a_guideline_stays(visit, local_store, project) -> None:
    admin = visit(Role.ADMIN)
    path = f"/projects/{project}/settings/guideline"
    first = admin.form(path, text="Be kind.\r\nBe short.", based_on="0")
    assert first.headers["location"] == f"/projects/{project}/settings?done=guideline"
    assert "Be kind.\nBe short.</textarea>" in admin.get(path).text
    assert admin.form(path, text="Be kind.\nBe exact.", based_on="1").status_code == 303
    assert admin.form(path, text="Be kind.\nBe exact.", based_on="2").headers["location"].endswith("done=same")
    assert [(one.version, one.author) for one in list_guidelines(local_store, project)] == [
        (2, admin.name),
        (1, admin.name),
    ]
    shown = admin.get(f"{path}/2").text
    assert "<del>Be short.</del>" in shown
    assert "<ins>Be exact.</ins>" in shown
    assert "<ins>" not in admin.get(f"{path}/2?against=0").text
    for strange in ("3", "1?against=9", "1?against=x"):
        assert admin.get(f"{path}/{strange}").status_code == 404
    assert "Version 2" in admin.get(f"/projects/{project}/settings").text


def test_who_writes_at_the_same_time_loses_nothing(visit, local_store, project) -> None:
    admin = visit(Role.ADMIN)
    add_guideline(local_store, project, "Be kind.")
    answer = admin.form(f"/projects/{project}/settings/guideline", text="Be rude.", based_on="0")
    assert answer.status_code == 409
    assert "Somebody stored version 1" in answer.text
    assert "Be rude.</textarea>" in answer.text
    assert 'name="based_on" value="1"' in answer.text
    assert read_guideline(local_store, project) == "Be kind."


@pytest.mark.parametrize("fields", [{}, {"text": " "}, {"text": "x" * 500_001}, {"text": "x", "based_on": "-1"}])
def test_a_guideline_that_is_none_is_not_stored(visit, local_store, project, fields) -> None:
    answer = visit(Role.ADMIN).form(f"/projects/{project}/settings/guideline", **{"based_on": "0", **fields})
    assert answer.status_code == 400
    assert read_guideline(local_store, project) is None


def test_versions_are_compared_line_by_line() -> None:
    lines = compared("a\nb\nc", "a\nB\nc\nd")
    assert [(line.kind, line.text) for line in lines] == [
        ("same", "a"),
        ("old", "b"),
        ("new", "B"),
        ("same", "c"),
        ("new", "d"),
    ]
    assert len(compared("x\n" * 6000, "y")) == 6002


def test_settings_that_were_not_changed_make_no_event(visit, local_store) -> None:
    project = create_project(local_store, "p", Settings(lease_s=1200, gold_share=0.075))
    admin = visit(Role.ADMIN)
    with local_store.read() as connection:
        from instructglm.annotation.store.chain import head

        before = head(connection).number
    fields = {"name": "p", "annotators": "2", "lease": "20", "gold": "7.5"}
    fields |= {"criterion": "quality", "criterion_low": "1", "criterion_high": "5", "criterion_labels": ""}
    assert admin.form(f"/projects/{project}/settings", **fields).status_code == 303
    with local_store.read() as connection:
        assert head(connection).number == before
