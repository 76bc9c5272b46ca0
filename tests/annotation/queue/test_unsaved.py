"""What could not be saved, and what is not saved yet: neither takes the other's place."""

import pytest
from annotation_team import rate
from sqlalchemy import func, select

from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.drafts import autosave, drop_unsaved
from instructglm.annotation.queue.save import Conflict, Saved
from instructglm.annotation.queue.tasks import open_task
from instructglm.annotation.store.projects import Settings
from instructglm.annotation.store.tables import Submission
from instructglm.core.errors import DataError

ODD = "a\0b\x01c\x010 <script>alert(1)</script> 你好\r\n\t\ufeff \U0001f600"


def count_saves(team) -> int:
    with team.store.read() as connection:
        return connection.scalar(select(func.count()).select_from(Submission))


def texts(task) -> list[tuple[str, ...]]:
    return [Answer.model_validate(one.body).written for one in task.unsaved]


def test_a_key_of_one_item_saves_nothing_for_another_and_says_so(team) -> None:
    team = team(2, 1, settings=Settings(annotators_per_item=1, gold_share=0))
    (ann,) = team.people
    first = team.take(ann)
    assert isinstance(team.say(ann, first, Answer(label="yes"), key="1"), Saved)
    second = team.take(ann)
    for label in ("yes", "no"):
        with pytest.raises(DataError, match="this key was used for another item"):
            team.say(ann, second, Answer(label=label), key="1")
    assert isinstance(team.say(ann, second, Answer(label="yes"), key="2"), Saved)
    assert count_saves(team) == 2


def test_an_answer_under_a_used_key_is_kept(team) -> None:
    team = team(1, 1)
    task = team.take(team.people[0])
    team.say(team.people[0], task, rate(task, 4), key="once")
    other = Answer(written=("Something else.",))
    assert isinstance(team.say(team.people[0], task, other, key="once"), Conflict)
    assert texts(open_task(team.store, team.people[0], task.assignment)) == [("Something else.",)]


def test_a_stale_tab_neither_replaces_a_newer_draft_nor_loses_its_text(team) -> None:
    team = team(1, 1)
    (ann,) = team.people
    task = team.take(ann)
    team.say(ann, task, Answer(written=("First.",)))
    autosave(team.store, ann, task.assignment, {"text": "newer"}, 1, based_on=1)
    for _ in range(2):  # tried again: kept once
        assert isinstance(team.say(ann, task, Answer(written=("Stale.",)), based_on=0), Conflict)
    assert autosave(team.store, ann, task.assignment, {"text": "newest"}, 2, based_on=1).kept
    again = open_task(team.store, ann, task.assignment)
    assert (again.draft, texts(again)) == ({"text": "newest"}, [("Stale.",)])
    assert isinstance(team.say(ann, again, Answer(written=("Second.",))), Saved)
    again = open_task(team.store, ann, task.assignment)
    assert (again.draft, texts(again)) == (None, [("Stale.",)])
    drop_unsaved(team.store, ann, task.assignment, again.unsaved[0].id)
    assert open_task(team.store, ann, task.assignment).unsaved == ()


def test_of_two_tabs_at_one_version_the_second_is_told_that_its_text_is_not_kept(team) -> None:
    team = team(1, 1)
    (ann,) = team.people
    task = team.take(ann)
    first = autosave(team.store, ann, task.assignment, {"text": "one tab"}, 6)
    second = autosave(team.store, ann, task.assignment, {"text": "other tab"}, 6)
    again = autosave(team.store, ann, task.assignment, {"text": "one tab"}, 6)
    assert [(done.version, done.kept) for done in (first, second, again)] == [(6, True), (6, False), (6, True)]


def test_a_skip_leaves_what_was_typed(team) -> None:
    team = team(1, 1)
    (ann,) = team.people
    task = team.take(ann)
    autosave(team.store, ann, task.assignment, {"text": "half a page"}, 1)
    team.say(ann, task, Answer(skip="too hard"))
    assert open_task(team.store, ann, task.assignment).draft == {"text": "half a page"}


def test_nothing_is_no_draft(team) -> None:
    team = team(1, 1)
    task = team.take(team.people[0])
    with pytest.raises(DataError, match="nothing to keep"):
        autosave(team.store, team.people[0], task.assignment, None, 1)


def test_the_newest_draft_is_kept_whatever_order_they_arrive_in(team) -> None:
    team = team(1, 1)
    (ann,) = team.people
    task = team.take(ann)
    for version, text in ((1, "a"), (3, "abc"), (2, "ab")):
        kept = autosave(team.store, ann, task.assignment, {"text": text, "strange": ODD}, version)
    assert kept.version == 3
    again = team.take(ann)
    assert (again.draft, again.draft_version) == ({"text": "abc", "strange": ODD}, 3)


def test_an_autosave_that_arrives_after_the_save_is_known_to_be_older(team) -> None:
    team = team(1, 1)
    (ann,) = team.people
    task = team.take(ann)
    autosave(team.store, ann, task.assignment, {"text": "half"}, 1)
    team.say(ann, task, Answer(written=("Whole.",)))
    autosave(team.store, ann, task.assignment, {"text": "late"}, 2)
    again = open_task(team.store, ann, task.assignment)
    assert (again.draft, again.draft_based_on, again.revision) == ({"text": "late"}, 0, 1)
    autosave(team.store, ann, task.assignment, {"text": "new"}, 1, based_on=1)
    assert autosave(team.store, ann, task.assignment, {"text": "later still"}, 3).version == 1
    again = open_task(team.store, ann, task.assignment)
    assert (again.draft, again.draft_based_on) == ({"text": "new"}, 1)


def test_half_a_character_is_kept_in_a_draft_and_refused_in_an_answer(team) -> None:
    team = team(1, 1)
    (ann,) = team.people
    task = team.take(ann)
    half = {"text": "cut \ud83d"}
    autosave(team.store, ann, task.assignment, half, 1)
    with pytest.raises(ValueError, match="half a character"):
        Answer(comment=half["text"])
    with pytest.raises(DataError, match="half a character"):
        team.say(ann, task, Answer(label="yes"), key=half["text"])
    assert team.take(ann).draft == half
    assert count_saves(team) == 0
