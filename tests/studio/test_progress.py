"""The page of progress: rounds with a forecast, people with their speed, names for admins alone."""

from __future__ import annotations

import re

import pytest
from annotation_team import Team, items, rate

from instructglm.annotation.queue.rounds import close_round, open_round
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, create_project
from instructglm.annotation.store.tables import Role


@pytest.fixture
def team(local_store) -> Team:
    project = create_project(local_store, "law", Settings(annotators_per_item=1, gold_share=0))
    import_records(local_store, project, items(20))
    people = [add_person(local_store, f"Person {number}", Role.ANNOTATOR) for number in range(2)]
    open_round(local_store, project)
    return Team(local_store, project, people)


def _work(team: Team, clock, person: int, number: int) -> None:
    for _ in range(number):
        task = team.take(person)
        clock.advance(360)
        team.say(person, task, rate(task, 3), took_ms=90_000)


def test_a_round_and_its_people_are_told(team, visit, clock):
    first, second = team.people
    _work(team, clock, first, 10)
    team.take(second)
    page = visit(Role.ADMIN).get(f"/projects/{team.project}/progress").text
    assert "10 of 20 places done, 1 in hands, 9 waiting; 20 items" in page
    assert re.search(r'<progress max="20" value="10"', page)
    assert "10 places were done in the last 54 min 00 s" in page
    assert page.count("<time ") == 5
    row = re.search(r"Person 0 \(No\. \d+\)</th>(.*?)</tr>", page, re.S)[1]
    assert re.findall(r'class="number">([^<]*)</td>', row) == ["10", "0", "0", "0", "1 min 30 s", "10.0"]
    assert "10 in all" in row


def test_without_enough_there_is_no_forecast_and_it_says_so(team, visit, clock):
    _work(team, clock, team.people[0], 3)
    reviewer = visit(Role.REVIEWER)
    page = reviewer.get(f"/projects/{team.project}/progress").text
    assert "only 3 places were done" in page
    assert "Person 0" not in page
    _work(team, clock, team.people[0], 17)
    assert "All its places are done" in reviewer.get(f"/projects/{team.project}/progress").text
    close_round(team.store, team.project)
    assert "closed" in reviewer.get(f"/projects/{team.project}/progress?lang=en").text


def test_a_project_without_rounds_has_a_page(project, visit):
    reviewer = visit(Role.REVIEWER)
    assert "There is no round yet" in reviewer.get(f"/projects/{project}/progress").text
    assert reviewer.get("/projects/99/progress").status_code == 404
