"""Saving: once, in the right place, with nothing overwritten."""

import pytest
from annotation_team import rate
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from instructglm.annotation.queue.answers import (
    Answer,
    Edit,
    OutputRank,
    OutputRating,
    Rejection,
    annotation_rows,
    new_texts,
)
from instructglm.annotation.queue.drafts import autosave
from instructglm.annotation.queue.save import Conflict, Saved, save
from instructglm.annotation.queue.tasks import open_task
from instructglm.annotation.store.projects import Settings, add_guideline
from instructglm.annotation.store.tables import Annotation, Output, Submission, Withdrawal
from instructglm.annotation.store.verify import verify
from instructglm.core.errors import DataError

STRANGE = "a\0b\x01c\x010 <script>alert(1)</script> {{ 7*7 }} \u202eright to left\u202c 你好\r\n\t\ufeff \U0001f600"


def count(team, table) -> int:
    with team.store.read() as connection:
        return connection.scalar(select(func.count()).select_from(table))


def test_everything_one_can_say_comes_back_as_it_was_said(team) -> None:
    team = team(1, 1, outputs=3)
    task = team.take(team.people[0])
    one, two, three = (output.id for output in task.outputs)
    answer = Answer(
        written=("A better answer.", STRANGE),
        edits=(Edit(output=two, text="Answer, mended."),),
        ratings=(
            OutputRating(output=one, criterion="quality", value=4),
            OutputRating(output=two, criterion="quality", value=2),
        ),
        ranks=(
            OutputRank(output=one, rank=1),
            OutputRank(output=two, rank=2),
            OutputRank(output=three, rank=2),
        ),
        label="yes",
        rejected=(Rejection(output=three, reason="wrong law"), Rejection(reason="no question at all")),
        flag="personal data",
        comment=STRANGE,
    )
    saved = team.say(team.people[0], task, answer, took_ms=1234)
    assert saved == Saved(submission=1, revision=1, event=saved.event)
    again = open_task(team.store, team.people[0], task.assignment)
    assert again.answer == answer
    assert (again.revision, again.draft) == (1, None)
    with team.store.read() as connection:
        row = connection.execute(select(Submission.took_ms, Submission.person, Submission.shown)).one()
        assert tuple(row) == (1234, team.people[0], [output.id for output in task.outputs])
        edited = connection.scalars(select(Output.text).where(Output.edited_from == two)).all()
        assert edited == ["Answer, mended."]
    assert verify(team.store).broken is None


def test_a_repeated_save_stores_nothing_twice(team) -> None:
    team = team(1, 1)
    task = team.take(team.people[0])
    first = team.say(team.people[0], task, rate(task, 4), key="once")
    events = verify(team.store).num_events
    again = team.say(team.people[0], task, rate(task, 4), key="once")
    assert again == first.model_copy(update={"repeated": True})
    assert verify(team.store).num_events == events
    assert (count(team, Submission), count(team, Annotation)) == (1, 2)


def test_a_key_used_for_something_else_overwrites_nothing(team) -> None:
    team = team(1, 1)
    task = team.take(team.people[0])
    team.say(team.people[0], task, rate(task, 4), key="once")
    other = team.say(team.people[0], task, rate(task, 1), key="once")
    assert other == Conflict(stored=rate(task, 4), stored_revision=1, sent=rate(task, 1))
    assert count(team, Submission) == 1


def test_a_save_from_a_stale_copy_keeps_both_texts(team) -> None:
    team = team(1, 1)
    (ann,) = team.people
    task = team.take(ann)
    team.say(ann, task, Answer(written=("From the laptop.",)))
    stale = team.say(ann, task, Answer(written=("From the phone.",)), based_on=0)
    assert isinstance(stale, Conflict)
    assert (stale.stored.written, stale.sent.written) == (("From the laptop.",), ("From the phone.",))
    again = open_task(team.store, ann, task.assignment)
    assert again.answer == stale.stored
    assert [Answer.model_validate(one.body) for one in again.unsaved] == [stale.sent]
    merged = team.say(ann, again, Answer(written=("From both.",)))
    assert (merged.revision, count(team, Submission)) == (2, 2)


def test_a_changed_mind_is_a_new_row_and_takes_back_only_what_it_replaces(team) -> None:
    team = team(1, 1)
    (ann,) = team.people
    task = team.take(ann)
    team.say(ann, task, Answer(written=("Kept.", "Dropped."), comment="first"))
    task = open_task(team.store, ann, task.assignment)
    team.say(ann, task, Answer(written=("Kept.", "New."), comment="second"))
    assert open_task(team.store, ann, task.assignment).answer == Answer(written=("Kept.", "New."), comment="second")
    with team.store.read() as connection:
        texts = connection.execute(
            select(Output.text, Withdrawal.reason)
            .outerjoin(Withdrawal, Withdrawal.output == Output.id)
            .where(Output.origin == "person")
            .order_by(Output.id)
        ).all()
    assert [tuple(row) for row in texts] == [
        ("Kept.", None),
        ("Dropped.", "replaced by its author"),
        ("New.", None),
    ]


def test_what_an_answer_replaces_it_can_edit_and_not_judge(team) -> None:
    team = team(1, 1)
    (ann,) = team.people
    task = team.take(ann)
    team.say(ann, task, Answer(written=("Mine.",)))
    task = open_task(team.store, ann, task.assignment)
    with team.store.read() as connection:
        own = connection.scalar(select(Output.id).where(Output.origin == "person"))
    rating = OutputRating(output=own, criterion="quality", value=5)
    with pytest.raises(DataError, match=f"output {own}: this very answer replaces it"):
        team.say(ann, task, Answer(written=("Other.",), ratings=(rating,)))
    assert isinstance(team.say(ann, task, Answer(edits=(Edit(output=own, text="Better."),))), Saved)


def test_an_answer_that_does_not_fit_is_refused_with_all_its_faults(team) -> None:
    team = team(1, 1)
    task = team.take(team.people[0])
    answer = Answer(
        label="perhaps",
        ratings=(
            OutputRating(output=task.outputs[0].id, criterion="quality", value=9),
            OutputRating(output=task.outputs[0].id, criterion="beauty", value=1),
            OutputRating(output=999, criterion="quality", value=1),
        ),
    )
    with pytest.raises(DataError) as refused:
        team.say(team.people[0], task, answer)
    assert refused.value.faults == (
        "output 999: was not shown with this item",
        "label: found 'perhaps'; expected one of yes, no",
        f"rating of output {task.outputs[0].id} by 'quality': found 9; expected 1 to 5",
        "rating by 'beauty'; expected one of quality",
    )
    assert count(team, Submission) == 0


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({}, "nothing is said"),
        ({"skip": "", "label": "yes"}, "skipped or answered"),
        ({"written": [""]}, "a written output is empty"),
        ({"ranks": [{"output": 1, "rank": 1}, {"output": 1, "rank": 2}]}, "ranks: one output is judged twice"),
        ({"ranks": [{"output": 1, "rank": 0}]}, "greater than or equal to 1"),
        ({"ratings": [{"output": 1, "criterion": "quality", "value": float("nan")}]}, "finite number"),
    ],
)
def test_an_answer_that_means_nothing_is_refused(held, message) -> None:
    with pytest.raises(ValueError, match=message):
        Answer.model_validate(held)


def test_somebody_elses_assignment_can_not_be_saved_or_seen(team) -> None:
    team = team(2, 2)
    ann, bo = team.people
    task = team.take(ann)
    for attempt in (
        lambda: save(team.store, bo, task.assignment, rate(task, 1), key="x"),
        lambda: open_task(team.store, bo, task.assignment),
        lambda: autosave(team.store, bo, task.assignment, {}, 1),
    ):
        with pytest.raises(DataError, match="is not one of this person's"):
            attempt()


def test_the_guideline_of_the_moment_is_named(team) -> None:
    team = team(2, 1)
    for _ in range(2):
        version = add_guideline(team.store, team.project, "Be kind.")
        task = team.take(team.people[0])
        assert task.guideline == version
        team.say(team.people[0], task, rate(task, 3))
    with team.store.read() as connection:
        assert connection.scalars(select(Submission.guideline).order_by(Submission.id)).all() == [1, 2]


def test_scales_are_the_projects(team) -> None:
    team = team(
        1, 1, settings=Settings.model_validate({"criteria": {"quality": {"low": 0, "high": 100}}, "gold_share": 0})
    )
    task = team.take(team.people[0])
    assert isinstance(team.say(team.people[0], task, rate(task, 72.5)), Saved)


TEXT = st.text(min_size=1, max_size=8)
ANSWERS = st.builds(
    Answer,
    written=st.lists(TEXT, unique=True, max_size=3).map(tuple),
    ranks=st.lists(st.integers(1, 4), unique=True, max_size=3).map(
        lambda ids: tuple(OutputRank(output=one, rank=1 + one // 2) for one in ids)
    ),
    label=TEXT,
    comment=st.none() | st.text(max_size=8),
)


@given(ANSWERS)
def test_every_judgement_becomes_one_row(answer) -> None:
    ids = {new: number for number, new in enumerate(new_texts(answer), start=100)}
    rows = list(annotation_rows(answer, ids))
    said = (answer.label is not None) + (answer.comment is not None)
    assert len(rows) == len(answer.written) + len(answer.ranks) + said
    assert [row["output"] for row in rows if row["kind"] == "write"] == list(ids.values())
