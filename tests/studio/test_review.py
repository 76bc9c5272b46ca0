"""A reviewer's pages without a browser: what waits, what is decided, what is refused."""

from __future__ import annotations

import json
import re

import pytest
from annotation_team import Team, items, rate

from instructglm.annotation.queue.adjudicate import open_case
from instructglm.annotation.queue.answers import Answer, OutputRank, Rejection
from instructglm.annotation.queue.rounds import close_round, open_round
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, create_project
from instructglm.annotation.store.tables import Role
from instructglm.annotation.store.verify import verify

SAID = {1: ("yes", "yes"), 2: ("yes", "no"), 3: ("no", "no")}


@pytest.fixture
def team(local_store) -> Team:
    """Three items of two domains that two people have answered; they split on the second."""
    project = create_project(local_store, "law", Settings(annotators_per_item=2, gold_share=0))
    import_records(local_store, project, items(3, domains=("law", "health")))
    people = [add_person(local_store, f"Person {number}", Role.ANNOTATOR) for number in range(2)]
    open_round(local_store, project)
    team = Team(local_store, project, people)
    for place, person in enumerate(people):
        for _ in SAID:
            task = team.take(person)
            ordered = sorted(output.id for output in task.outputs)
            ranks = tuple(OutputRank(output=one, rank=rank) for rank, one in enumerate(ordered, start=1))
            rejected = (Rejection(output=task.outputs[0].id, reason="<b>wrong</b>"),) if place else ()
            label = SAID[task.instruction][place]
            answer = Answer(label=label, ratings=rate(task, 4 - place).ratings, ranks=ranks, comment="hm", flag="odd")
            said = answer.model_copy(update={"rejected": rejected if task.instruction == 1 else ()})
            team.say(person, task, said)
    return team


@pytest.fixture
def case(team, visit):
    """A reviewer before the disputed item: who, where its routes are, and what its page carries."""
    reviewer = visit(Role.REVIEWER)
    page = reviewer.get(f"/projects/{team.project}/review/2").text
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])
    return reviewer, f"/api/projects/{team.project}/cases/2", data


def _body(data, **said):
    return {"revision": data["revision"], "seen_event": data["seen_event"], "key": "k", "reason": "so", **said}


def test_the_most_disputed_come_first_and_domains_can_be_chosen(team, visit):
    reviewer = visit(Role.REVIEWER)
    page = reviewer.get(f"/projects/{team.project}/review").text
    assert "3 wait for a verdict" in page
    found = re.findall(r"/review/(\d)\"><bdi>Question", page)
    assert found == ["1", "2", "3"]  # on the first, one rejects what the other lets stand
    assert re.findall(r'class="number">(1\.00|0\.\d\d)<', page) == ["1.00", "1.00", "0.25"]
    health = reviewer.get(f"/projects/{team.project}/review?domain=health").text
    assert re.findall(r"/review/(\d)\?domain=health\"><bdi>Question", health) == ["2"]
    assert "Person" not in page


def test_a_case_shows_what_was_said_and_no_name_and_no_opinion(team, case):
    reviewer, path, _ = case
    page = reviewer.get(f"/projects/{team.project}/review/1").text
    assert "&lt;b&gt;wrong&lt;/b&gt;" in page
    assert "<title>3, 4</title>" in page
    assert "Person" not in page
    assert not re.search(r"mean \d|posterior", page)
    opinion = reviewer.get(f"{path}/opinion").json()
    assert sum(opinion["labels"].values()) == pytest.approx(1.0)
    assert [one["means"] for one in opinion["outputs"]] == [[["quality", 3.5, 2]]] * 2


def test_a_verdict_is_stored_with_own_texts_and_the_next_case_follows(team, case):
    reviewer, path, data = case
    (one, other) = (output.id for output in open_case(team.store, reviewer.person, 2).outputs)
    edits = [{"output": other, "text": "Better."}]
    body = _body(data, accepted=[one], label="yes", written=["Best."], edits=edits)
    done = reviewer.send(f"{path}/verdict", body)
    assert (done.status_code, done.json()["revision"], done.json()["next"]) == (
        200, 1, f"/projects/{team.project}/review/3",
    )  # fmt: skip
    assert reviewer.send(f"{path}/verdict", body).json()["repeated"] is True
    texts = {output.id: output.text for output in open_case(team.store, reviewer.person, 2).outputs}
    verdict = open_case(team.store, reviewer.person, 2).verdict
    assert [texts[number] for number in verdict.accepted] == [texts[one], "Best.", "Better."]
    page = reviewer.get(f"/projects/{team.project}/review").text
    assert ("2 wait" in page, "3 accepted" in page, "You (No." in page) == (True, True, True)
    assert verify(team.store).broken is None


def test_who_comes_second_is_told_and_overwrites_nothing(team, case, visit):
    reviewer, path, data = case
    other = visit(Role.ADMIN)
    assert other.send(f"{path}/verdict", _body(data, label="no", reason="mine")).status_code == 200
    late = reviewer.send(f"{path}/verdict", _body(data, label="yes"))
    assert late.status_code == 409
    assert (late.json()["stored"]["reason"], late.json()["sent"]["label"]) == ("mine", "yes")
    page = reviewer.get(f"/projects/{team.project}/review/2?since={data['seen_event']}").text
    assert "mine" in page
    again = reviewer.send(f"{path}/verdict", _body(data, label="yes", revision=1, key="other"))
    assert (again.status_code, again.json()["revision"]) == (200, 2)


def test_a_case_goes_back_for_one_more_annotator(team, case):
    reviewer, path, data = case
    done = reviewer.send(f"{path}/more", None)
    assert (done.status_code, done.json()["next"]) == (200, f"/projects/{team.project}/review/3")
    assert "2 wait" in reviewer.get(f"/projects/{team.project}/review").text
    third = add_person(team.store, "Third", Role.ANNOTATOR)
    task = team.take(third)
    team.say(third, task, Answer(label="no", comment="at last"))
    late = reviewer.send(f"{path}/verdict", _body(data, label="yes"))
    assert (late.status_code, late.json()["num_new_answers"], late.json()["stored"]) == (409, 1, None)
    page = reviewer.get(f"/projects/{team.project}/review/2?since={data['seen_event']}").text
    assert re.search(r'badge new">new</span> <bdi class="text">at last', page)
    close_round(team.store, team.project)
    refused = reviewer.send(f"{path}/more", None)
    assert (refused.status_code, refused.json()["error"]["faults"]) == (400, ["no round is open"])


def test_a_case_set_aside_comes_last_and_says_why(team, case):
    reviewer, _, _ = case
    path = f"/api/projects/{team.project}/cases/1/flag"
    done = reviewer.send(path, {"reason": "an <i>admin</i> should see it"})
    assert (done.status_code, done.json()["next"]) == (200, f"/projects/{team.project}/review/2")
    page = reviewer.get(f"/projects/{team.project}/review").text
    assert re.findall(r"/review/(\d)\"><bdi>Question", page) == ["2", "3", "1"]
    assert page.count(">set aside</span>") == 1
    shown = reviewer.get(f"/projects/{team.project}/review/1").text
    assert "an &lt;i&gt;admin&lt;/i&gt; should see it" in shown
    assert reviewer.send(path, {"reason": " "}).status_code == 400
    assert verify(team.store).broken is None


@pytest.mark.parametrize(
    ("said", "code", "fault"),
    [
        ({"reason": ""}, 422, "reason"),
        ({"accepted": [99]}, 400, "output 99: not one of this item's"),
        ({"accepted": [2**53]}, 422, "accepted"),
        ({"accepted": [3, 3]}, 400, "an output is accepted twice"),
        ({"label": "perhaps"}, 400, "label: found 'perhaps'"),
        ({"written": ["  "]}, 400, "a written output is empty"),
        ({"edits": [{"output": 3, "text": ""}]}, 422, "text"),
        ({"unknown": 1}, 422, "unknown"),
        ({"key": "\ud800"}, 422, "key"),
        ({"reason": "half \ud800"}, 422, "reason"),
    ],
)
def test_what_cannot_be_is_refused(case, said, code, fault):
    reviewer, path, data = case
    headers = {"X-CSRF-Token": reviewer.csrf, "Content-Type": "application/json"}
    content = json.dumps(_body(data, **said))  # which spells half a character as JSON may
    answer = reviewer.client.post(f"{path}/verdict", content=content, headers=headers)
    assert answer.status_code == code
    assert fault in answer.text


def test_a_case_of_another_project_is_not_here(team, case, local_store):
    reviewer, _, data = case
    other = create_project(local_store, "other")
    for path in (f"/projects/{other}/review/2", f"/projects/{team.project}/review/99", "/projects/99/review"):
        assert reviewer.get(path).status_code == 404, path
    for what, body in (("verdict", _body(data, label="yes")), ("more", None)):
        assert reviewer.send(f"/api/projects/{other}/cases/2/{what}", body).status_code == 404
    assert "Nothing waits" in reviewer.get(f"/projects/{other}/review").text


def test_next_goes_round_and_never_to_the_same(team, visit):
    reviewer = visit(Role.REVIEWER)
    place = f"/projects/{team.project}/review"
    paths = [reviewer.get(f"{place}/next?after={one}").headers["location"] for one in (0, 1, 2, 3)]
    assert paths == [f"{place}/{one}" for one in (1, 2, 3, 1)]
    assert reviewer.get(f"{place}/next?after=2&domain=health").headers["location"] == f"{place}?domain=health"
