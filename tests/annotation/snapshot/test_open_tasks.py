"""Which outputs of an open task are accepted, and with which weight."""

from math import exp

import pytest
from frozen_projects import rank, rate, reject

from instructglm.annotation.queue.answers import Answer, Edit
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.store.withdrawing import withdraw_instructions, withdraw_outputs
from instructglm.core.errors import DataError

DRAFTS = [{"text": "good", "model": "m"}, {"text": "bad", "model": "m"}]
QUESTION = {"instruction": "Explain.", "outputs": DRAFTS}
OTHER = {"instruction": "Other?"}


def write(text: str):
    return lambda task: Answer(written=(text,))


def test_drafts_that_nobody_judged_are_out_and_what_a_person_wrote_is_in(project, tmp_path) -> None:
    team = project([QUESTION, OTHER], 1)
    team.walk(team.people[0], write("mine"))
    found = team.freeze(tmp_path)
    assert found.outputs(1) == found.outputs(2) == {"mine": 1.0}
    ids = team.outputs_of(1)
    assert [found.why_not(1, ids[text]) for text in ("good", "bad")] == ["unjudged", "unjudged"]
    assert found.manifest.summary.left_out.outputs == {"unjudged": 2}
    assert found.examples[0]["outputs"][0]["annotator"].startswith("annotator-")
    assert "Person" not in (found.folder / "examples.jsonl").read_text() + (found.folder / "card.md").read_text()


def test_imported_outputs_are_in_only_where_that_is_asked_for(project, tmp_path) -> None:
    team = project([{"instruction": "A", "outputs": ["x"]}, {"instruction": "B", "outputs": [DRAFTS[0]]}], 1)
    with pytest.raises(DataError, match=r"nothing of law is accepted \(2 unjudged\)"):
        team.freeze(tmp_path)
    assert not any(tmp_path.glob("law-*"))
    found = team.freeze(tmp_path, accept_imported=True)
    assert (found.outputs(1), found.outputs(2)) == ({"x": 1.0}, None)


def test_ratings_make_weights_and_a_low_one_leaves_an_output_out(project, tmp_path) -> None:
    team = project([QUESTION | {"outputs": [*DRAFTS, "fair"]}], 2)
    team.walk(team.people[0], lambda task: rate(task, {"good": 5, "bad": 2, "fair": 3}))
    team.walk(team.people[1], lambda task: rate(task, {"good": 4, "bad": 1, "fair": 3}))
    found = team.freeze(tmp_path)
    assert found.outputs(1) == {"good": 4.5, "fair": 3.0}
    assert found.examples[0]["outputs"][0]["ratings"] == [5.0, 4.0]
    assert found.why_not(1, team.outputs_of(1)["bad"]) == "rated_low"
    lower = team.freeze(tmp_path, min_rating=0.1)
    assert lower.outputs(1) == {"good": 4.5, "bad": 1.5, "fair": 3.0}
    assert lower.folder != found.folder


def test_an_unrated_output_counts_as_the_mean_of_the_rated(project, tmp_path) -> None:
    team = project([QUESTION], 2)
    team.walk(team.people[0], write("mine"))
    team.walk(team.people[1], lambda task: rate(task, {"good": 5, "bad": 3}))
    assert team.freeze(tmp_path).outputs(1) == {"good": 5.0, "bad": 3.0, "mine": 4.0}


def test_criteria_are_averaged_each_on_its_own_scale(project, tmp_path) -> None:
    team = project([QUESTION], 1, criteria={"truth": {"low": -2, "high": 2}, "style": {"low": 1, "high": 5}})
    ratings = lambda task: Answer(  # noqa: E731
        ratings=rate(task, {"good": 2}, "truth").ratings + rate(task, {"good": 3, "bad": 1}, "style").ratings
    )
    team.walk(team.people[0], ratings)
    assert team.freeze(tmp_path).outputs(1) == {"good": 4.0}


def test_ranks_make_weights_and_drafts_below_the_middle_are_out(project, tmp_path) -> None:
    team = project([QUESTION], 3)
    for person in team.people:
        team.walk(person, lambda task: rank(task, {"good": 1, "bad": 2}))
    found = team.freeze(tmp_path)
    assert list(found.outputs(1)) == ["good"]
    assert found.why_not(1, team.outputs_of(1)["bad"]) == "ranked_low"
    (pair,) = found.preferences
    assert (pair["chosen"], pair["rejected"]) == (
        [{"role": "assistant", "content": "good"}],
        [{"role": "assistant", "content": "bad"}],
    )
    assert (pair["by"], pair["num_prefer_chosen"], pair["num_prefer_rejected"]) == ("ranks", 3, 0)
    assert found.outputs(1)["good"] == pytest.approx(exp(pair["margin"] / 2), abs=1e-5)


def test_ties_in_ranks_weigh_the_same_and_are_no_preference(project, tmp_path) -> None:
    team = project([QUESTION], 2)
    for person in team.people:
        team.walk(person, lambda task: rank(task, {"good": 1, "bad": 1}))
    found = team.freeze(tmp_path)
    assert found.outputs(1) == {"good": 1.0, "bad": 1.0}
    assert (found.preferences, found.manifest.summary.preferences.left_out) == ([], {"tie": 1})
    assert not (found.folder / "preferences.jsonl").exists()


def test_a_majority_rejects_and_half_does_not(project, tmp_path) -> None:
    team = project([QUESTION], 3)
    team.walk(team.people[0], lambda task: reject(task, "good", "bad"))
    team.walk(team.people[1], lambda task: reject(task, "bad"))
    team.walk(team.people[2], lambda task: rate(task, {"good": 5, "bad": 5}))
    found = team.freeze(tmp_path)
    assert found.outputs(1) == {"good": 5.0}
    assert found.why_not(1, team.outputs_of(1)["bad"]) == "rejected"


def test_an_edit_replaces_its_draft_unless_it_is_rejected_itself(project, tmp_path) -> None:
    team = project([QUESTION], 2)
    draft = team.outputs_of(1)["good"]
    team.walk(team.people[0], lambda task: Answer(edits=(Edit(output=draft, text="better"),)))
    team.walk(team.people[1], lambda task: rate(task, {"good": 5, "bad": 1}))
    found = team.freeze(tmp_path)
    assert found.outputs(1) == {"better": 1.0}
    assert found.why_not(1, draft) == "edited"
    assert found.examples[0]["metadata"]["origins"] == ["edited"]
    open_round(team.store, team.project)
    team.walk(team.people[1], lambda task: reject(task, "better"))
    after = team.freeze(tmp_path)
    assert (after.outputs(1), after.why_not(1, team.outputs_of(1)["better"])) == ({"good": 5.0}, "rejected")


def test_a_reviewer_beats_ratings_edits_flags_and_rejections(project, tmp_path) -> None:
    team = project([QUESTION, OTHER | {"outputs": ["a"]}], 2)
    bad = team.outputs_of(1)["bad"]
    team.walk(team.people[0], lambda task: Answer(flag="odd"))
    team.walk(team.people[1], lambda task: reject(task))
    team.judge(1, accepted=(bad,))
    team.judge(2, accepted=())
    found = team.freeze(tmp_path, min_annotators=9)
    assert found.outputs(1) == {"bad": 1.0}
    assert found.why_not(1, team.outputs_of(1)["good"]) == "not_chosen"
    assert (found.why_not(2), found.examples[0]["metadata"]["decided_by"]) == ("declined", "reviewer")


def test_flags_rejections_too_few_people_and_withdrawals_have_their_reasons(project, tmp_path) -> None:
    team = project([{"instruction": name} for name in ("flag", "reject", "fine", "gone", "lone")], 3)
    first, *others = team.people

    def say(task):
        name = task.messages[-1].content
        answers = {"flag": Answer(flag="?", written=("x",)), "reject": reject(task), "lone": None}
        return answers.get(name, Answer(written=(f"by {first}",)))

    team.walk(first, lambda task: Answer(written=("alone",)) if task.instruction == 5 else say(task))
    team.walk(others[0], say)
    team.walk(others[1], lambda task: Answer(written=("third",)) if task.instruction in (2, 3) else None)
    withdraw_instructions(team.store, team.project, [4], "private")
    found = team.freeze(tmp_path, min_annotators=2)
    assert [found.why_not(one) for one in (1, 2, 4, 5)] == ["flagged", "rejected", "withdrawn", "too_few_annotators"]
    assert found.outputs(3) == {f"by {first}": 1.0, "third": 1.0}
    counts = found.manifest.summary.left_out
    assert counts.instructions == {"flagged": 1, "rejected": 1, "too_few_annotators": 1, "withdrawn": 1}
    assert counts.outputs["duplicate"] == 1
    assert found.manifest.summary.num_instructions == 5
    gone = [one for one in found.ledger if one["instruction"] == 4]
    assert [(one["reason"], one["detail"]) for one in gone] == [("withdrawn", "private")] * 3
    card = (found.folder / "card.md").read_text()
    assert "| instruction | flagged | 1 | somebody flagged it, and no reviewer has decided |" in card.replace(
        "\\_", "_"
    )


def test_a_flag_falls_when_its_author_answers_again_without(project, tmp_path) -> None:
    team = project([QUESTION], 1)
    team.walk(team.people[0], lambda task: Answer(flag="?", written=("first",)))
    with pytest.raises(DataError, match="1 flagged"):
        team.freeze(tmp_path)
    open_round(team.store, team.project)
    team.walk(team.people[0], lambda task: rate(task, {"first": 4}))
    assert team.freeze(tmp_path).outputs(1) == {"first": 4.0}


def test_where_everything_is_withdrawn_nothing_is_written(project, tmp_path) -> None:
    team = project([QUESTION, OTHER | {"outputs": ["x"]}], 1)
    team.walk(team.people[0], lambda task: rate(task, {one.text: 5 for one in task.outputs}))
    withdraw_instructions(team.store, team.project, [1], "private")
    withdraw_outputs(team.store, team.project, [team.outputs_of(2)["x"]], "wrong")
    with pytest.raises(DataError, match=r"nothing of law is accepted \(1 no_output, 1 withdrawn\)"):
        team.freeze(tmp_path)
