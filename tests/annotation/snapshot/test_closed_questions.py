"""Which label a closed question gets, and how sure it is."""

import pytest
from frozen_projects import reject

from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.gold import Gold, add_gold
from instructglm.annotation.queue.rounds import close_round, open_round
from instructglm.annotation.store.chain import Change, record
from instructglm.core.errors import ConfigError, DataError

CHOICES = {"choices": ["yes", "no"]}


def closed(number: int, **more):
    return [{"instruction": f"Is it {one}?", **CHOICES, **more} for one in range(number)]


def label(text: str):
    return lambda task: Answer(label=text)


def test_unanimous_labels_are_taken_and_the_agreement_says_what_is_undefined(project, tmp_path) -> None:
    team = project(closed(3))
    for person in team.people:
        team.walk(person, label("yes"))
    found = team.freeze(tmp_path)
    assert [found.outputs(one) for one in (1, 2, 3)] == [{"yes": 1.0}] * 3
    assert found.examples[0]["choices"] == ["yes", "no"]
    assert found.examples[0]["metadata"]["confidence"] == 1.0
    whole = found.manifest.agreement[0]
    assert (whole.subject, whole.percent.value, whole.alpha.value) == ("labels of law", 1.0, None)
    assert "one value used" in whole.alpha.note
    assert "nan" not in (found.folder / "card.md").read_text()


def test_a_majority_wins_with_its_share_and_a_tie_is_out(project, tmp_path) -> None:
    team = project(closed(2), 4)
    for person, said in zip(team.people, ("yes", "yes", "yes", "no"), strict=True):
        other = "no" if person in team.people[:2] else "yes"
        team.walk(person, lambda task, said=said, other=other: label(said if task.instruction == 1 else other)(task))
    found = team.freeze(tmp_path)
    assert found.outputs(1) == {"yes": 0.75}
    assert found.why_not(2) == "label_tie"
    assert found.manifest.summary.num_counted_labels == 2
    with pytest.raises(DataError, match="1 label_tie, 1 unsure_label"):
        team.freeze(tmp_path, min_confidence=0.8)


def test_a_model_weighs_people_where_there_is_enough_to_learn_from(project, tmp_path) -> None:
    """Who says yes to everything is believed less when they say yes."""
    team = project(closed(40), 5)
    truth = lambda task: "yes" if task.instruction % 2 else "no"  # noqa: E731
    for person in team.people[:3]:
        team.walk(person, lambda task: label(truth(task))(task))
    for person in team.people[3:]:
        team.walk(person, lambda task: label("yes")(task))
    modelled, counted = team.freeze(tmp_path), team.freeze(tmp_path, label_model="majority_vote")
    assert modelled.manifest.summary.num_counted_labels == 0
    assert modelled.outputs(2)["no"] > counted.outputs(2)["no"] == 0.6
    accuracy = {one.annotator: one.label_accuracy for one in modelled.manifest.annotators}
    assert sorted(round(one, 1) for one in accuracy.values()) == [0.5, 0.5, 1.0, 1.0, 1.0]


def test_an_unknown_model_is_refused_before_anything_is_read(project, tmp_path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'majority_vote'"):
        project(closed(1)).freeze(tmp_path, label_model="majority_votes")


def test_nobody_labelled_is_not_no(project, tmp_path) -> None:
    team = project(closed(2, outputs=["yes"]), 1)
    team.walk(team.people[0], lambda task: label("no")(task) if task.instruction == 1 else Answer(written=("hm",)))
    found = team.freeze(tmp_path)
    assert (found.outputs(1), found.why_not(2)) == ({"no": 1.0}, "no_label")
    assert found.why_not(1, team.outputs_of(1)["yes"]) == "not_the_label"


def test_a_reviewers_label_beats_all_others(project, tmp_path) -> None:
    team = project(closed(3, outputs=["no"]))
    for person in team.people:
        team.walk(person, label("yes"))
    team.judge(1, label="no")
    team.judge(2, accepted=(team.outputs_of(2)["no"],))
    team.judge(3)
    found = team.freeze(tmp_path)
    assert (found.outputs(1), found.outputs(2), found.why_not(3)) == ({"no": 1.0}, {"no": 1.0}, "declined")
    assert found.manifest.summary.decided_by == {"reviewer": 2}
    assert found.manifest.num_reviewed == 3


def test_a_label_that_is_no_longer_a_choice_does_not_count(project, tmp_path) -> None:
    """The store refuses such a label; one may stand there from another program, or from a later version."""
    from sqlalchemy import select

    from instructglm.annotation.store.tables import Annotation, Submission

    team = project(closed(2), 1)
    team.walk(team.people[0], label("yes"))
    with team.store.write() as write:
        old = write.connection.execute(select(Submission).where(Submission.instruction == 2)).mappings().one()
        change = Change("answered", team.project, team.people[0])
        values = {**old, "id": 9, "revision": 2, "key": "elsewhere"}
        change.add(Submission, **{name: value for name, value in values.items() if name != "event"})
        rows = {"submission": 9, "kind": "label", "criterion": "", "text": "perhaps", "output": None, "value": None}
        change.add(Annotation, id=9, **rows)
        record(write, change)
    found = team.freeze(tmp_path)
    assert (found.outputs(1), found.why_not(2)) == ({"yes": 1.0}, "not_a_choice")


def test_gold_items_are_out_unless_asked_for_and_then_the_known_label_holds(project, tmp_path) -> None:
    team = project(closed(3), 2)
    close_round(team.store, team.project)
    add_gold(team.store, team.project, [Gold(instruction=1, label="no")])
    open_round(team.store, team.project)
    for person in team.people:
        team.walk(person, label("yes"))
    found = team.freeze(tmp_path)
    assert (found.why_not(1), found.outputs(2)) == ("gold", {"yes": 1.0})
    asked = team.freeze(tmp_path, with_gold=True)
    assert (asked.outputs(1), asked.manifest.summary.decided_by) == ({"no": 1.0}, {"people": 2, "gold": 1})


def test_the_latest_round_holds_of_everybody(project, tmp_path) -> None:
    team = project(closed(1), 3)
    for person in team.people:
        team.walk(person, label("yes"))
    open_round(team.store, team.project, blind=True)
    for person in team.people[:2]:
        team.walk(person, label("no"))
    team.walk(team.people[2], lambda task: reject(task))
    found = team.freeze(tmp_path)
    assert found.outputs(1) == {"no": pytest.approx(2 / 3, abs=1e-6)}
    assert found.manifest.num_answers_by_round == {"1": 3, "2": 3}
    assert [one.part for one in found.manifest.agreement] == ["", "round 1", "round 2"]
