"""Gold items: hidden among the others, met once, and a score that knows how sure it is."""

import pytest
from annotation_team import Team, items, rate
from sqlalchemy import select

from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.gold import Gold, add_gold, gold_scores
from instructglm.annotation.queue.rounds import close_round, open_round
from instructglm.annotation.queue.tasks import Task
from instructglm.annotation.store import open_store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, create_project
from instructglm.annotation.store.reading import instructions, judgements, outputs
from instructglm.annotation.store.tables import Assignment, Item, Role, Submission
from instructglm.annotation.store.verify import verify
from instructglm.core.errors import DataError
from instructglm.core.proportions import wilson


def with_gold(team, num_items: int, num_gold: int, share: float = 0.5):
    team = team(num_items, 2, settings=Settings(annotators_per_item=1, gold_share=share))
    gold = [one.id for one in instructions(team.store, team.project)][:num_gold]
    close_round(team.store, team.project)
    add_gold(team.store, team.project, [Gold(instruction=one, label="yes") for one in gold])
    open_round(team.store, team.project)
    return team, gold


def is_gold(team: Team, submission: int) -> bool:
    with team.store.read() as connection:
        query = select(Assignment.is_gold).join(Submission, Submission.assignment == Assignment.id)
        return bool(connection.scalar(query.where(Submission.id == submission)))


def test_everybody_meets_gold_items_once_and_cannot_tell_them(team) -> None:
    team, gold = with_gold(team, 40, 5)
    met: dict[int, list[int]] = {person: [] for person in team.people}
    fields = set()
    for person in team.people:
        for _ in range(20):
            task = team.take(person)
            met[person].append(task.instruction)
            fields.add(frozenset(task.model_dump()))
            team.say(person, task, Answer(label="yes"))
    orders = [[one for one in seen if one in gold] for seen in met.values()]
    assert [sorted(order) for order in orders] == [gold, gold]
    assert orders[0] != orders[1]
    assert len(fields) == 1
    assert "gold" not in str(Task.model_fields)
    with team.store.read() as connection:
        assert not set(connection.scalars(select(Item.instruction).where(Item.round == 2))) & set(gold)


def test_which_items_are_gold_cannot_be_computed_without_the_store(team, tmp_path) -> None:
    """What somebody knows who reads this code: the round, who they are, how much they had. It is the same in both."""
    here, _ = with_gold(team, 60, 30)
    drawn = []
    with open_store(tmp_path / "other.db", create=True, clock=lambda: 0) as other_store:
        other = Team(other_store, create_project(other_store, "other", Settings(gold_share=0.5)), [1])
        import_records(other_store, other.project, items(60))
        add_person(other_store, "Person 0", Role.ANNOTATOR)
        known = [Gold(instruction=one, label="yes") for one in range(1, 31)]
        add_gold(other_store, other.project, known)
        for _ in range(2):
            open_round(other_store, other.project)
        for one in (here, other):
            drawn.append([is_gold(one, one.say(1, one.take(1), Answer(label="yes")).submission) for _ in range(20)])
    assert drawn[0] != drawn[1]


def test_the_score_counts_the_last_answer_and_no_skips(team) -> None:
    team, _ = with_gold(team, 20, 4, share=1.0)
    ann, bo = team.people
    said = [Answer(label="yes"), Answer(label="no"), Answer(skip="?"), Answer(comment="hm")]
    for answer in said:
        task = team.take(ann)
        team.say(ann, task, answer)
    (score,) = gold_scores(team.store, team.project)
    assert (score.person, score.name, score.hits, score.n, score.share) == (ann, "Person 0", 1, 3, 1 / 3)
    assert (score.low, score.high) == wilson(1, 3, 0.95)
    task = team.take(bo)
    team.say(bo, task, Answer(label="no"))
    team.say(bo, task, Answer(label="yes"), based_on=1)
    assert [(one.hits, one.n) for one in gold_scores(team.store, team.project)] == [(1, 3), (1, 1)]
    assert list(judgements(team.store, team.project)) == []
    assert len(list(judgements(team.store, team.project, with_gold=True))) == 5


def test_a_rating_may_be_gold_give_or_take(team) -> None:
    team = team(3, 1, settings=Settings(annotators_per_item=1, gold_share=1.0), outputs=1)
    (one, two, _) = outputs(team.store, team.project)
    close_round(team.store, team.project)
    for value in (1, 4):  # the later one holds
        add_gold(
            team.store,
            team.project,
            [
                Gold(instruction=output.instruction, output=output.id, criterion="quality", value=value, tolerance=1)
                for output in (one, two)
            ],
        )
    open_round(team.store, team.project)
    values = {one.instruction: 5, two.instruction: 2}
    for _ in values:
        task = team.take(team.people[0])
        team.say(team.people[0], task, rate(task, values[task.instruction]))
    (score,) = gold_scores(team.store, team.project)
    assert (score.hits, score.n) == (1, 2)


def test_gold_that_is_none_is_refused(team) -> None:
    team = team(1, 1)
    (instruction,) = instructions(team.store, team.project)
    close_round(team.store, team.project)
    wrong = [
        Gold(instruction=99, label="yes"),
        Gold(instruction=instruction.id, label="perhaps"),
        Gold(instruction=instruction.id),
        Gold(instruction=instruction.id, value=3, output=99, criterion="quality"),
        Gold(instruction=instruction.id, value=3, output=1),
        Gold(instruction=instruction.id, value=9, output=1, criterion="quality"),
    ]
    with pytest.raises(DataError) as refused:
        add_gold(team.store, team.project, wrong)
    assert refused.value.faults == (
        "gold of instruction 99: the project has no such instruction",
        f"gold of instruction {instruction.id}: found 'perhaps'; expected one of yes, no",
        f"gold of instruction {instruction.id}: found neither; expected a label or a value",
        f"gold of instruction {instruction.id}: a value needs one of its outputs; found 99",
        f"gold of instruction {instruction.id}: criterion ''; expected one of quality",
        f"gold of instruction {instruction.id}: found 9 by 'quality'; expected 1 to 5",
    )


def test_what_waits_in_the_open_queue_can_not_become_gold(team) -> None:
    team = team(1, 1)
    (instruction,) = instructions(team.store, team.project)
    with pytest.raises(DataError, match="it is in the queue of the open round"):
        add_gold(team.store, team.project, [Gold(instruction=instruction.id, label="yes")])


@pytest.mark.parametrize(
    "values",
    [{"value": float("nan")}, {"value": 3, "tolerance": float("inf")}, {"value": 3, "tolerance": -1}],
)
def test_gold_is_a_finite_number_give_or_take_one(values) -> None:
    with pytest.raises(ValueError, match=r"finite number|greater than or equal to 0"):
        Gold(instruction=1, output=1, criterion="quality", **values)


def test_a_negative_zero_leaves_the_log_whole(team) -> None:
    scale = {"criteria": {"quality": {"low": -1, "high": 1}}, "gold_share": 0}
    team = team(1, 1, settings=Settings.model_validate(scale))
    task = team.take(team.people[0])
    team.say(team.people[0], task, rate(task, -0.0))
    close_round(team.store, team.project)
    gold = Gold(instruction=task.instruction, output=task.outputs[0].id, criterion="quality", value=-0.0)
    add_gold(team.store, team.project, [gold])
    assert verify(team.store).broken is None
