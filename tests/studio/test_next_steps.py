"""Where the pages lead: how a project begins, and what follows when a round's answers are all in."""

from __future__ import annotations

import pytest
from annotation_team import Team, items, rate

from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, create_project
from instructglm.annotation.store.tables import Role

FOLLOWS = ("review", "agreement", "snapshot")


@pytest.fixture
def team(local_store) -> Team:
    """One person before a round of one item."""
    project = create_project(local_store, "law", Settings(annotators_per_item=1, gold_share=0))
    import_records(local_store, project, items(1))
    open_round(local_store, project)
    return Team(local_store, project, [add_person(local_store, "Ann", Role.ANNOTATOR)])


def _answer(team: Team) -> None:
    task = team.take(team.people[0])
    team.say(team.people[0], task, rate(task, 4).model_copy(update={"label": "yes"}))


def _buttons(page: str, project: int) -> list[str]:
    names = (*FOLLOWS, "import", "settings", "rounds")
    return [name for name in names if f'class="button" href="/projects/{project}/{name}"' in page]


@pytest.mark.parametrize("place", ["/", "/projects/{project}/progress", "/projects/{project}/rounds"])
def test_when_all_answers_are_in_the_page_says_what_follows(place, team, visit):
    admin, path = visit(Role.ADMIN), place.format(project=team.project)
    assert "All answers are in" not in admin.get(path).text
    _answer(team)
    page = admin.get(path).text
    assert "All answers are in" in page
    assert set(FOLLOWS) <= set(_buttons(page, team.project))
    assert "回答已全部收齐" in admin.get(f"{path}?lang=zh").text


def test_a_new_project_says_to_its_admin_how_to_begin(project, visit):
    page = visit(Role.ADMIN).get("/").text
    assert {"import", "settings", "rounds"} <= set(_buttons(page, project))
    assert 'class="button" href="/people"' in page
    assert "To get answers" not in visit(Role.REVIEWER).get("/").text


def test_annotators_are_sent_to_no_page_of_others(team, visit):
    _answer(team)
    assert _buttons(visit(Role.ANNOTATOR).get("/").text, team.project) == []
