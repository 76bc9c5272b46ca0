"""One's own answers, newest first, and what of one's own is kept and not saved."""

from annotation_team import rate

from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.drafts import autosave
from instructglm.annotation.queue.leases import give_back, keep_hold
from instructglm.annotation.queue.mine import my_answers, unfinished
from instructglm.annotation.queue.rounds import close_round
from instructglm.annotation.store.projects import add_guideline, list_guidelines


def test_the_last_save_of_every_item_newest_first_in_pages(team) -> None:
    team = team(5, 2)
    ann, bob = team.people
    tasks = []
    for value in (1, 2, 3):
        tasks.append(team.take(ann))
        team.say(ann, tasks[-1], rate(tasks[-1], value))
    team.say(bob, task := team.take(bob), rate(task, 5))
    team.say(ann, tasks[0], Answer(skip="after all"), based_on=1)
    team.say(ann, tasks[0], rate(tasks[0], 4), based_on=2)
    found = my_answers(team.store, team.project, ann, most=2)
    assert [(one.assignment, one.revision) for one in found] == [(tasks[0].assignment, 3), (tasks[2].assignment, 1)]
    assert found[0].answer == rate(tasks[0], 4)
    assert found[0].prompt == tasks[0].messages[-1].content
    (rest,) = my_answers(team.store, team.project, ann, before=found[-1].submission, most=2)
    assert rest.assignment == tasks[1].assignment
    close_round(team.store, team.project)
    assert my_answers(team.store, team.project, ann) == ()


def test_drafts_and_refused_answers_are_found_again_by_the_newest_assignment(team) -> None:
    team = team(1, 1)
    (ann,) = team.people
    task = team.take(ann)
    assert unfinished(team.store, team.project, ann) == ()
    autosave(team.store, ann, task.assignment, {"text": "half"}, 1)
    give_back(team.store, ann, task.assignment)
    again = team.take(ann)
    (one,) = unfinished(team.store, team.project, ann)
    assert (one.assignment, one.has_draft, one.num_unsaved) == (again.assignment, True, 0)
    team.say(ann, again, rate(again, 1))
    team.say(ann, again, rate(again, 2), based_on=0)
    (one,) = unfinished(team.store, team.project, ann)
    assert (one.has_draft, one.num_unsaved) == (False, 1)


def test_a_sign_of_life_tells_whether_the_item_is_still_held(team) -> None:
    team = team(1, 1)
    (ann,) = team.people
    task = team.take(ann)
    assert keep_hold(team.store, ann, task.assignment)
    give_back(team.store, ann, task.assignment)
    assert not keep_hold(team.store, ann, task.assignment)


def test_all_versions_of_a_guideline_with_their_times(team) -> None:
    team = team(1, 1)
    assert list_guidelines(team.store, team.project) == ()
    for text in ("Be kind.", "Be exact.\0"):
        add_guideline(team.store, team.project, text)
    found = list_guidelines(team.store, team.project)
    assert [(one.version, one.text) for one in found] == [(2, "Be exact.\0"), (1, "Be kind.")]
    assert found[0].at_ms >= found[1].at_ms > 0
