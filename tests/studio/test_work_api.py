"""The queue over HTTP: each answer as the store gives it, and a clear refusal of all that does not fit."""

from __future__ import annotations

import json

import pytest
from annotation_team import items

from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.rounds import close_round, open_round
from instructglm.annotation.queue.save import save
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, add_guideline, create_project
from instructglm.annotation.store.tables import Role

ODD = "a\0b\x01c <script>alert(1)</script> {{ 7*7 }} 你好\r\n\t\u202e\ufeff \U0001f600"
HUGE = 10**400


@pytest.fixture
def law(local_store) -> int:
    project = create_project(local_store, "law", Settings(annotators_per_item=1, gold_share=0, lease_s=60.0))
    import_records(local_store, project, items(3))
    open_round(local_store, project)
    return project


def take(someone, project) -> dict:
    given = someone.send(f"/api/projects/{project}/next", None)
    assert given.status_code == 200, given.text
    return given.json()["task"]


def say(someone, task, answer, *, key="1", **shape):
    body = {"answer": answer, "key": key, "based_on": task["revision"], **shape}
    return someone.send(f"/api/assignments/{task['assignment']}/save", body)


def test_a_save_brings_the_next_item_and_a_repeated_one_nothing_twice(law, visit):
    ann = visit(Role.ANNOTATOR)
    task = take(ann, law)
    assert take(ann, law) == task
    answers = [say(ann, task, {"label": "yes"}, next_in=law).json() for _ in range(2)]
    assert [one["saved"]["repeated"] for one in answers] == [False, True]
    first, second = (one["next"]["task"] for one in answers)
    assert first == second != task
    assert say(ann, first, {"label": "no"}, key="2").json()["next"] is None


def test_a_stale_copy_gets_both_answers_and_loses_nothing(law, visit):
    ann = visit(Role.ANNOTATOR)
    task = take(ann, law)
    say(ann, task, {"label": "yes"})
    clash = say(ann, task, {"written": [ODD]}, key="2")
    assert clash.status_code == 409
    conflict = clash.json()["conflict"]
    assert (conflict["stored"]["label"], conflict["sent"]["written"]) == ("yes", [ODD])
    again = ann.get(f"/api/assignments/{task['assignment']}").json()
    (unsaved,) = again["unsaved"]
    assert unsaved["body"]["written"] == [ODD]
    path = f"/api/assignments/{task['assignment']}/unsaved/{unsaved['id']}"
    assert ann.send(path, None, "DELETE").status_code == 204
    assert ann.get(f"/api/assignments/{task['assignment']}").json()["unsaved"] == []


def test_an_item_that_found_others_is_gone_and_what_was_sent_is_kept(law, visit, clock, local_store):
    ann, bob = visit(Role.ANNOTATOR), add_person(local_store, "Bob", Role.ANNOTATOR)
    tasks = [take(ann, law)]
    clock.advance(60)
    from instructglm.annotation.queue.claim import next_task

    for number in range(3):
        save(local_store, bob, next_task(local_store, law, bob).assignment, Answer(label="no"), key=str(number))
    held = ann.send(f"/api/assignments/{tasks[0]['assignment']}/renew", None).json()
    assert held == {"is_held": False}
    gone = say(ann, tasks[0], {"written": ["Mine."]})
    assert (gone.status_code, gone.json()["not_held"]["sent"]["written"]) == (410, ["Mine."])
    assert len(ann.get(f"/api/assignments/{tasks[0]['assignment']}").json()["unsaved"]) == 1


def test_a_sign_of_life_keeps_the_item(law, visit, clock):
    ann, bob = visit(Role.ANNOTATOR), visit(Role.ANNOTATOR)
    task = take(ann, law)
    clock.advance(50)
    assert ann.send(f"/api/assignments/{task['assignment']}/renew", None).json() == {"is_held": True}
    clock.advance(50)
    assert take(bob, law)["instruction"] != task["instruction"]
    assert ann.send(f"/api/assignments/{task['assignment']}/give-back", None).json() == {"is_held": False}
    assert ann.send(f"/api/assignments/{task['assignment']}/renew", None).json() == {"is_held": False}


def test_a_draft_comes_back_as_it_was_half_characters_too(law, visit):
    ann = visit(Role.ANNOTATOR)
    task = take(ann, law)
    body = {"texts": [ODD, "cut \ud83d", "x" * 2**20], "deep": [[[{}]]], "number": 2**60}
    path = f"/api/assignments/{task['assignment']}/draft"
    sent = json.dumps({"body": body, "version": 1})  # half a character is an escape, as a browser sends it
    headers = {"X-CSRF-Token": ann.csrf, "Content-Type": "application/json"}
    kept = ann.client.put(path, content=sent, headers=headers)
    assert kept.json() == {"version": 1, "kept": True, "is_held": True}
    assert take(ann, law)["draft"] == body
    assert ann.send(path, {"body": {"texts": ["other"]}, "version": 1}, "PUT").json()["kept"] is False


def test_why_there_is_nothing(law, visit, local_store):
    ann, bob = visit(Role.ANNOTATOR), visit(Role.ANNOTATOR)
    for number in range(2):
        say(bob, take(bob, law), {"label": "yes"}, key=str(number))
    last = take(ann, law)
    idle = {"task": None, "idle": {"reason": "others hold the rest", "again_ms": None}, "wait_ms": None}
    assert bob.send(f"/api/projects/{law}/next", None).json() == idle
    done = say(ann, last, {"label": "no"}, next_in=law).json()
    assert done["next"]["idle"]["reason"] == "everything is done"
    close_round(local_store, law)
    assert ann.send(f"/api/projects/{law}/next", None).json()["idle"]["reason"] == "no round is open"


def test_when_to_come_again_is_told_in_milliseconds_from_now(law, visit, local_store, clock):
    ann = visit(Role.ANNOTATOR)
    for number in range(3):
        say(ann, take(ann, law), {"label": "yes"}, key=str(number))
    open_round(local_store, law, blind=True, delay_s=3600)
    clock.advance(600)
    given = ann.send(f"/api/projects/{law}/next", None).json()
    assert (given["idle"]["reason"], given["wait_ms"]) == ("too fresh", 3000_000)


WRONG = [
    {"ranks": [{"output": 1, "rank": HUGE}]},
    {"ranks": [{"output": HUGE, "rank": 1}]},
    {"ranks": [{"output": 1, "rank": 0}]},
    {"ratings": [{"output": 1, "criterion": "quality", "value": HUGE}]},
    {"ratings": [{"output": 1, "criterion": "quality", "value": float("inf")}]},
    {"ratings": [{"output": 1, "criterion": "quality", "value": float("nan")}]},
    {"ratings": [{"output": 1, "criterion": "quality", "value": 6}]},
    {"edits": [{"output": -1, "text": "x"}]},
    {"rejected": [{"output": HUGE, "reason": "x"}]},
    {"written": [""]},
    {"written": ["\ud83d"]},
    {"label": "perhaps"},
    {"label": "yes", "skip": ""},
    {},
    [],
    {"writen": ["x"]},
]


@pytest.mark.parametrize("answer", WRONG, ids=lambda answer: str(answer)[:60])
def test_an_answer_that_does_not_fit_is_refused_with_its_faults(answer, law, visit):
    ann = visit(Role.ANNOTATOR)
    task = take(ann, law)
    path, headers = f"/api/assignments/{task['assignment']}/save", {"X-CSRF-Token": ann.csrf}
    sent = json.dumps({"answer": answer, "key": "1", "based_on": 0})
    refused = ann.client.post(path, content=sent, headers={**headers, "Content-Type": "application/json"})
    assert refused.status_code in (400, 422), refused.text
    assert refused.json()["error"]["faults"]
    assert ann.get(f"/api/assignments/{task['assignment']}").json()["revision"] == 0


def test_numbers_past_all_bounds_are_refused(law, visit):
    ann = visit(Role.ANNOTATOR)
    task = take(ann, law)
    for name in ("based_on", "took_ms", "next_in"):
        assert say(ann, task, {"label": "yes"}, **{name: HUGE}).status_code == 422
    draft = f"/api/assignments/{task['assignment']}/draft"
    assert ann.send(draft, {"body": {}, "version": HUGE}, "PUT").status_code == 422
    assert ann.send(draft, {"body": None, "version": 1}, "PUT").status_code == 422
    for path in (f"/api/assignments/{HUGE}", "/api/assignments/0", f"/projects/{law}/work?assignment={HUGE}"):
        assert ann.get(path).status_code == 422


@pytest.mark.parametrize(
    "sent", [b"[" * 100_000, b'{"body": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001, b"\xff", b"1" * 5000]
)
def test_what_is_no_json_of_ours_is_no_mistake_of_ours(sent, law, visit):
    ann = visit(Role.ANNOTATOR)
    path = f"/api/assignments/{take(ann, law)['assignment']}/draft"
    headers = {"X-CSRF-Token": ann.csrf, "Content-Type": "application/json"}
    assert ann.client.put(path, content=sent, headers=headers).status_code in (400, 422)


def test_deep_drafts_come_back_or_are_refused(law, visit):
    ann = visit(Role.ANNOTATOR)
    path = f"/api/assignments/{take(ann, law)['assignment']}/draft"
    headers = {"X-CSRF-Token": ann.csrf, "Content-Type": "application/json"}
    for version, depth in enumerate((50, 150, 250, 400, 800), start=1):
        sent = b'{"version": %d, "body": ' % version + b'{"a":' * depth + b"1" + b"}" * (depth + 1)
        assert ann.client.put(path, content=sent, headers=headers).status_code in (200, 400, 422), depth
        assert take(ann, law)["draft"] is not None


def test_nobody_meets_the_items_of_others(law, visit):
    ann, bob = visit(Role.ANNOTATOR), visit(Role.ANNOTATOR)
    task = take(ann, law)
    for path in ("", "/renew", "/give-back", "/unsaved/1"):
        method = {"": "GET", "/unsaved/1": "DELETE"}.get(path, "POST")
        answer = bob.send(f"/api/assignments/{task['assignment']}{path}", None, method)
        assert (answer.status_code, "not one of this person's" in answer.text) == (400, True)
    assert say(bob, task, {"label": "yes"}).status_code == 400


def test_who_one_is_and_what_guides_one(law, visit, local_store):
    ann = visit(Role.ANNOTATOR)
    me = ann.get("/api/me").json()
    assert me == {"person": ann.person, "name": ann.name, "role": "annotator", "csrf": ann.csrf}
    assert ann.get(f"/api/projects/{law}/guideline").json() == {"version": 0, "blocks": []}
    add_guideline(local_store, law, "# Be exact\n\nSay <b>why</b>.")
    shown = ann.get(f"/api/projects/{law}/guideline").json()
    assert shown["version"] == 1
    assert [(one["kind"], one["texts"]) for one in shown["blocks"]] == [
        ("heading", ["Be exact"]),
        ("paragraph", ["Say <b>why</b>."]),
    ]
