"""Which pairs of outputs become a preference, with which margin, and why others do not."""

import pytest
from frozen_projects import rank, rate, reject

DRAFTS = [{"text": text, "model": "m"} for text in "abc"]
QUESTION = {"instruction": "Explain.", "outputs": DRAFTS}


def said(project, tmp_path, *answers):
    team = project([QUESTION], len(answers))
    for person, answer in zip(team.people, answers, strict=True):
        team.walk(person, answer)
    found = team.freeze(tmp_path)
    pairs = {(one["chosen"][0]["content"], one["rejected"][0]["content"]): one for one in found.preferences}
    return pairs, found.manifest.summary.preferences


def test_ratings_give_the_difference_as_margin_and_who_prefers_which(project, tmp_path) -> None:
    pairs, counts = said(
        project, tmp_path, lambda task: rate(task, {"a": 5, "b": 4}), lambda task: rate(task, {"a": 4, "b": 4, "c": 1})
    )
    assert sorted(pairs) == [("a", "b"), ("a", "c"), ("b", "c")]
    one = pairs["a", "b"]
    assert (one["margin"], one["by"], one["num_prefer_chosen"], one["num_undecided"]) == (0.5, "ratings", 1, 1)
    assert pairs["a", "c"]["margin"] == 3.5
    assert (counts.num_pairs, counts.by, counts.left_out) == (3, {"ratings": 3}, {})
    assert set(one) == {
        "id", "task", "prompt", "chosen", "rejected", "margin", "by", "num_prefer_chosen", "num_prefer_rejected",
        "num_undecided", "row",
    }  # fmt: skip


def test_two_that_nobody_compared_are_no_pair(project, tmp_path) -> None:
    pairs, counts = said(project, tmp_path, lambda task: rate(task, {"a": 5}), lambda task: rate(task, {"b": 3}))
    assert (pairs, counts.left_out) == ({}, {})


def test_where_count_and_score_disagree_it_is_contested(project, tmp_path) -> None:
    mild = lambda task: rate(task, {"a": 3, "b": 4})  # noqa: E731
    pairs, counts = said(project, tmp_path, mild, mild, lambda task: rate(task, {"a": 5, "b": 1}))
    assert (pairs, counts.left_out) == ({}, {"contested": 1})


def test_the_better_of_two_that_are_not_accepted_is_no_example_to_follow(project, tmp_path) -> None:
    pairs, counts = said(project, tmp_path, lambda task: rate(task, {"a": 5, "b": 2, "c": 1}))
    assert sorted(pairs) == [("a", "b"), ("a", "c")]
    assert counts.left_out == {"neither_accepted": 1}


def test_ranks_speak_before_ratings_and_follow_bradley_terry(project, tmp_path) -> None:
    from instructglm.annotation.aggregation import bradley_terry, comparisons_of_rankings

    ranks = [{"a": 1, "b": 2, "c": 3}, {"b": 1, "a": 2, "c": 2}, {"a": 1, "c": 3}]
    asked = [lambda task, given=given: rank(task, given) for given in ranks]
    pairs, counts = said(project, tmp_path, *asked, lambda task: rate(task, {"a": 3, "b": 5, "c": 5}))
    fitted = bradley_terry(comparisons_of_rankings(ranks))
    strength = dict(zip(fitted.names, fitted.log_strength.tolist(), strict=True))
    assert pairs["a", "c"]["margin"] == pytest.approx(strength["a"] - strength["c"], abs=1e-5)
    assert (pairs["a", "c"]["num_prefer_chosen"], pairs["a", "c"]["num_undecided"]) == (2, 1)
    assert (counts.by, counts.left_out) == ({"ranks": 2}, {"tie": 1})


def test_a_rejected_output_may_stand_on_the_other_side(project, tmp_path) -> None:
    better = lambda task: rank(task, {"a": 1, "b": 2})  # noqa: E731
    pairs, _ = said(project, tmp_path, better, lambda task: reject(task, "b"), lambda task: reject(task, "b"))
    assert list(pairs) == [("a", "b")]
