"""The page of snapshots: what would be in one, why the rest is not, and the command that makes it."""

from __future__ import annotations

import html
import re
import shlex
from typing import get_args

import pytest
from annotation_team import Team, items, rate
from browsers import PHONE, serious_faults

from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.snapshot.freeze import preview
from instructglm.annotation.snapshot.ledger import Reason
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, create_project
from instructglm.annotation.store.tables import Role
from instructglm.studio.routes import snapshots
from instructglm.studio.words import read_words


@pytest.fixture
def team(local_store) -> Team:
    """Of three open tasks, one is rated well, one badly, and one not at all."""
    project = create_project(local_store, "law & order", Settings(annotators_per_item=1, gold_share=0))
    open_tasks = [(place, {**record, "choices": []}) for place, record in items(3)]
    import_records(local_store, project, open_tasks)
    open_round(local_store, project)
    team = Team(local_store, project, [add_person(local_store, "Ann", Role.ANNOTATOR)])
    for value in (5, 1):
        task = team.take(team.people[0])
        team.say(team.people[0], task, rate(task, value))
    return team


def _command(page: str) -> list[str]:
    found = re.search(r'id="command"[^>]* value="([^"]*)"', page)
    assert found is not None
    return shlex.split(html.unescape(found[1]))


def test_a_reviewer_sees_what_would_be_in_and_why_the_rest_is_not(team, visit):
    path = f"/projects/{team.project}/snapshot"
    reviewer = visit(Role.REVIEWER)
    before = reviewer.get(path).text
    assert f'href="{path}" aria-current="page"' in before
    assert "What would be in it now" not in before
    page = reviewer.get(f"{path}?count=1").text
    summary = preview(team.store, team.project)
    assert (summary.num_examples, summary.num_outputs) == (1, 2)
    assert re.findall(r'class="big">(\d+)<', page) == ["1", "2", "0"]
    assert "<dt>1</dt><dd>none of its outputs is accepted</dd>" in page
    assert "<dt>2</dt><dd>rated lower than is asked for</dd>" in page
    assert "评分低于下限" in reviewer.get(f"{path}?count=1&lang=zh").text


def test_the_command_says_what_was_chosen_and_admins_the_place_too(team, visit):
    path = f"/projects/{team.project}/snapshot?min_annotators=2&min_rating=0.75&with_gold=1"
    expected = ["instructglm", "annotate", "snapshot", "--min-annotators", "2", "--min-rating", "0.75", "--with-gold"]
    assert _command(visit(Role.REVIEWER).get(path).text) == [*expected, "law & order"]
    assert _command(visit(Role.ADMIN).get(path).text) == [*expected, "--store", str(team.store), "law & order"]


def test_a_project_whose_name_looks_like_an_option_is_still_named(team):
    assert snapshots.command("-x", snapshots.Options(), None) == "instructglm annotate snapshot -- -x"


def test_what_is_no_number_is_told_at_its_field(team, visit):
    reply = visit(Role.REVIEWER).get(f"/projects/{team.project}/snapshot?count=1&min_rating=7&min_annotators=1.5")
    assert reply.status_code == 422
    assert reply.text.count('class="field-fault"') == 2
    assert "What would be in it now" not in reply.text


def test_two_are_not_counted_at_once(team, visit):
    reviewer = visit(Role.REVIEWER)
    with reviewer.client.app.state.snapshot_turn:
        page = reviewer.get(f"/projects/{team.project}/snapshot?count=1").text
    assert "Another snapshot is being counted" in page


def test_a_project_of_which_nothing_is_accepted_says_so(project, visit):
    assert "Nothing is accepted yet" in visit(Role.REVIEWER).get(f"/projects/{project}/snapshot?count=1").text


def test_annotators_have_no_such_page(project, visit):
    annotator = visit(Role.ANNOTATOR)
    assert annotator.get(f"/projects/{project}/snapshot").status_code == 403
    assert "/snapshot" not in annotator.get(f"/projects/{project}/work").text


def test_every_reason_has_words():
    assert {key.removeprefix("snapshot.reason.") for key in read_words() if key.startswith("snapshot.reason.")} == set(
        get_args(Reason)
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_it(theme, served, seat):
    project = create_project(served.store, "law")
    reviewer = seat(Role.REVIEWER, bypass_csp=True, color_scheme=theme, **PHONE)
    reviewer.open(f"/projects/{project}/snapshot?count=1")
    assert serious_faults(reviewer.page) == []
    assert reviewer.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert reviewer.faults == []
