"""Our own form: everything goes out and comes in again, once."""

import json

import pytest
from exchanged import content, full_project, sent, taken

from instructglm.annotation.queue.adjudicate import open_case
from instructglm.annotation.store import open_store
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import create_project, read_guideline
from instructglm.annotation.store.tables import Role
from instructglm.annotation.store.verify import verify


@pytest.fixture
def other(tmp_path, clock):
    with open_store(tmp_path / "other.db", create=True, clock=clock) as store:
        yield store


def test_what_goes_out_comes_in_equal_and_only_once(store, clock, other, tmp_path) -> None:
    project = full_project(store, clock)
    account = sent(store, project, tmp_path / "law.jsonl", "own", names=True)
    assert (account.num_instructions, account.num_answers) == (3, 12)
    assert dict(account.left_out) == {}
    new = create_project(other, "law")
    done = taken(other, new, tmp_path / "law.jsonl")
    assert (done.formats, done.num_instructions, done.num_answers) == ({"law.jsonl": "own"}, 3, 12)
    assert (done.num_outputs, done.rounds, done.leftovers, done.notes) == (account.num_outputs, (1, 2), (), ())
    assert done.people == {"Ann": "Ann", "王 伟": "王 伟"}
    assert content(other, new) == content(store, project)
    assert [read_guideline(other, new, version) for version in (1, 3)] == ["Be kind.", "Be kinder: True."]
    assert verify(other).broken is None
    events = verify(other).num_events
    again = taken(other, new, tmp_path / "law.jsonl")
    assert (again.num_instructions, again.num_outputs, again.num_answers, again.num_known_answers) == (0, 0, 0, 12)
    assert (again.rounds, again.people, verify(other).num_events) == ((), {}, events)


def test_what_came_from_here_is_known_here(store, clock, tmp_path) -> None:
    project = full_project(store, clock)
    for names in (True, False):
        sent(store, project, tmp_path / "law.jsonl", "own", names=names)
        before = content(store, project), verify(store).num_events
        done = taken(store, project, tmp_path / "law.jsonl")
        assert (done.num_outputs, done.num_answers, done.num_known_answers, done.people) == (0, 0, 12, {})
        assert (content(store, project), verify(store).num_events) == before


def test_people_are_hidden_unless_asked_for(store, clock, other, tmp_path) -> None:
    project = full_project(store, clock)
    sent(store, project, tmp_path / "law.jsonl", "own")
    text = (tmp_path / "law.jsonl").read_text()
    assert "Ann" not in text
    assert "王" not in text
    people = {answer["person"] for line in text.splitlines() for answer in json.loads(line).get("answers", ())}
    assert people == {"annotator-1", "annotator-2"}


def test_two_answers_of_one_person_in_one_round_stand_in_two(store, tmp_path) -> None:
    project = create_project(store, "law")
    answer = {"person": " ", "round": 1, "comment": "a"}
    line = {"instruction": {"instruction": "Why?"}, "answers": [answer, {**answer, "comment": "b"}, answer]}
    (tmp_path / "law.jsonl").write_text(json.dumps(line) + "\n")
    done = taken(store, project, tmp_path / "law.jsonl")
    assert (done.num_answers, done.num_known_answers, done.rounds) == (2, 1, (1, 2))
    assert done.people == {" ": "unknown annotator"}
    assert [(one.round, one.said.comment) for one in content(store, project)[0].answers] == [(1, "a"), (2, "b")]


def test_a_reviewer_can_decide_on_what_was_imported(store, clock, tmp_path, other) -> None:
    project = full_project(store, clock)
    sent(store, project, tmp_path / "law.jsonl", "own")
    new = create_project(other, "law")
    taken(other, new, tmp_path / "law.jsonl")
    reviewer = add_person(other, "Rev", Role.REVIEWER)
    case = open_case(other, reviewer, 1)
    assert sorted(voice.round for voice in case.voices) == [1, 1, 2, 2]
