"""Which instructions are worth another look, and what a round would do before it does it."""

import pytest
from annotation_team import items, rate

from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.choosing import Choice, choose
from instructglm.annotation.queue.gold import Gold, add_gold, gold_of
from instructglm.annotation.queue.progress import round_progress
from instructglm.annotation.queue.rounds import (
    add_new_instructions,
    close_round,
    count_new_instructions,
    open_round,
    plan_round,
)
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.projects import Settings
from instructglm.annotation.store.reading import instructions
from instructglm.annotation.store.withdrawing import withdraw_instructions
from instructglm.core.errors import DataError


def said(team, number: int, first, second):
    """Two people answer `number` items, each in their own way: `first` and `second` make an answer of a task."""
    for person, answer in zip(team.people, (first, second), strict=True):
        for _ in range(number):
            task = team.take(person)
            team.say(person, task, answer(task))


def ids(team) -> list[int]:
    return [one.id for one in instructions(team.store, team.project)]


def test_those_on_which_people_differ_by_enough_are_found(team) -> None:
    team = team(6, 2, domains=("law", "medicine"))
    first, second, third = ids(team)[:3]
    far = {first: 5, second: 2}
    said(team, 6, lambda task: rate(task, 1), lambda task: rate(task, far.get(task.instruction, 1)))
    split = Choice(which="split", criterion="quality")
    assert choose(team.store, team.project, split) == [first, second]
    assert choose(team.store, team.project, split.model_copy(update={"apart": 2})) == [first]
    assert choose(team.store, team.project, split.model_copy(update={"domain": "medicine"})) == [second]
    confused = Choice(which="confused", criterion="quality", values=("1", "5"))
    assert choose(team.store, team.project, confused) == [first]
    withdraw_instructions(team.store, team.project, [first], "a copy")
    assert choose(team.store, team.project, split) == [second]
    assert third in choose(team.store, team.project, Choice())


def test_labels_that_are_taken_for_one_another_are_found_and_a_changed_mind_counts(team) -> None:
    team = team(4, 2)
    odd = ids(team)[:2]
    said(team, 4, lambda _: Answer(label="yes"), lambda task: Answer(label="no" if task.instruction in odd else "yes"))
    for which in (Choice(which="split"), Choice(which="confused", values=("no", "yes"))):
        assert choose(team.store, team.project, which) == odd
    close_round(team.store, team.project)
    open_round(team.store, team.project, instructions=odd[:1])
    ann = team.people[0]
    team.say(ann, team.take(ann), Answer(label="no"))
    assert choose(team.store, team.project, Choice(which="split")) == odd[1:]


def test_those_that_few_have_seen_are_found_also_where_nobody_has(team) -> None:
    team = team(3, 2)
    ann, bo = team.people
    seen = [team.take(ann)]
    team.say(ann, seen[0], Answer(label="yes"))
    task = team.take(bo)
    team.say(bo, task, Answer(label="yes"))
    others = [one for one in ids(team) if one != task.instruction]
    assert task.instruction == seen[0].instruction
    assert choose(team.store, team.project, Choice(which="few", fewer_than=2)) == others
    assert len(choose(team.store, team.project, Choice(which="few", fewer_than=3))) == 3


def test_only_what_is_queued_can_get_more_annotators(team) -> None:
    team = team(3, 2)
    import_records(team.store, team.project, [("new", {"instruction": "Another question"})])
    assert len(choose(team.store, team.project, Choice())) == 4
    assert choose(team.store, team.project, Choice(), of_open_round=True) == ids(team)[:3]
    close_round(team.store, team.project)
    assert choose(team.store, team.project, Choice(), of_open_round=True) == []


@pytest.mark.parametrize("options", [{}, {"share": 0.4}, {"annotators": 3}, {"share": 0.1, "annotators": 1}])
def test_a_plan_tells_what_opening_does(team, options) -> None:
    settings = Settings(annotators_per_item=1, annotators_per_domain={"law": 4}, gold_share=0)
    team = team(10, 1, domains=("law", "medicine"), settings=settings)
    plan = plan_round(team.store, team.project, **options)
    assert (plan.number, plan.closes) == (2, 1)
    open_round(team.store, team.project, **options)
    done = round_progress(team.store, team.project)[-1]
    assert (plan.num_items, plan.num_places) == (done.num_items, done.num_places)
    close_round(team.store, team.project)
    assert plan_round(team.store, team.project).closes is None
    for wrong in ({"share": 0}, {"instructions": []}, {"annotators": 0}):
        with pytest.raises(DataError):
            plan_round(team.store, team.project, **wrong)


def test_what_came_since_is_counted_before_it_is_added(team) -> None:
    team = team(2, 1)
    assert count_new_instructions(team.store, team.project) == 0
    import_records(team.store, team.project, [("more", value | {"task": "b"}) for _, value in items(3)])
    assert count_new_instructions(team.store, team.project) == 3
    assert add_new_instructions(team.store, team.project) == 3
    assert count_new_instructions(team.store, team.project) == 0
    close_round(team.store, team.project)
    assert count_new_instructions(team.store, team.project) == 0


def test_the_known_answers_of_an_instruction_are_the_last_ones(team) -> None:
    team = team(1, 1)
    close_round(team.store, team.project)
    (one,) = ids(team)
    assert gold_of(team.store, one) == ()
    for label in ("yes", "no"):
        add_gold(team.store, team.project, [Gold(instruction=one, label=label)])
    assert [answer.label for answer in gold_of(team.store, one)] == ["no"]
