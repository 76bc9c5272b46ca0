"""The figures of a store are those of its judgements, question by question, on both databases."""

from __future__ import annotations

import numpy as np
import pytest
from annotation_team import Team, items

from instructglm.annotation.agreement import Judgements, agreement_of_project
from instructglm.annotation.overview import last_event, pseudonyms, standing_of
from instructglm.annotation.queue.answers import Answer, OutputRank, OutputRating, Rejection
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, add_guideline, create_project
from instructglm.annotation.store.tables import Role
from instructglm.core.errors import DataError

LABELS = {1: ("yes", "yes", "no"), 2: ("no", "no", "no"), 3: ("yes", "no", "no"), 4: ("yes", "yes", "yes")}


@pytest.fixture
def team(store) -> Team:
    """Four items of two domains before three people."""
    project = create_project(store, "law", Settings(annotators_per_item=3, gold_share=0))
    import_records(store, project, items(4, domains=("law", "health")))
    people = [add_person(store, f"Person {number}", Role.ANNOTATOR) for number in range(3)]
    open_round(store, project)
    return Team(store, project, people)


def answer_all(team: Team, answer) -> None:
    for place, person in enumerate(team.people):
        for _ in range(4):
            task = team.take(person)
            team.say(person, task, answer(place, task))


def test_labels_have_the_figures_of_the_same_labels_in_columns(team) -> None:
    answer_all(team, lambda place, task: Answer(label=LABELS[task.instruction][place]))
    add_guideline(team.store, team.project, "Say yes or no.")
    overview = standing_of(team.store, team.project).overview
    rows = [(item, person, label) for item, given in LABELS.items() for person, label in enumerate(given)]
    item, person, label = zip(*rows, strict=True)
    domain = ["law" if one % 2 else "health" for one in item]
    expected = agreement_of_project(Judgements.of(item, person, label, domain=domain), np.random.default_rng(0))
    (question,) = overview.questions
    assert (question.kind, overview.num_answers, overview.event) == ("label", 12, last_event(team.store, team.project))
    assert question.figures.whole.alpha.value == pytest.approx(expected.whole.alpha.value, abs=1e-12)
    assert question.figures.whole.alpha.low == pytest.approx(expected.whole.alpha.low, abs=1e-12)
    assert [group.alpha.value for group in question.figures.domains] == pytest.approx(
        [group.alpha.value for group in expected.domains]
    )
    assert [one.annotator for one in question.figures.with_others] == [str(person) for person in team.people]
    assert {one.annotator for one in question.reliability} == {str(person) for person in team.people}
    assert overview.waiting == ()


def test_the_item_on_which_people_split_most_is_known(team) -> None:
    answer_all(team, lambda place, task: Answer(label=LABELS[task.instruction][place]))
    standing = standing_of(team.store, team.project)
    assert standing.splits == pytest.approx({1: 2 / 3, 2: 0.0, 3: 2 / 3, 4: 0.0})
    opinion = standing.opinion(1)
    assert opinion is not None
    assert sum(opinion.values()) == pytest.approx(1.0)
    assert max(opinion, key=opinion.__getitem__) == "yes"
    assert standing.opinion(99) is None


def test_ratings_and_ranks_are_questions_of_their_own(team) -> None:
    def answer(place, task):
        first, second = sorted(output.id for output in task.outputs)
        high, low = (5, 1) if place else (1, 5)
        ratings = (OutputRating(output=first, criterion="quality", value=high), *_rate(second, low))
        ranks = (OutputRank(output=first, rank=1 if place else 2), OutputRank(output=second, rank=2 if place else 1))
        return Answer(ratings=ratings, ranks=ranks)

    answer_all(team, answer)
    standing = standing_of(team.store, team.project)
    rating, rank = standing.overview.questions
    assert (rating.kind, rating.criterion, rank.kind) == ("rating", "quality", "rank")
    assert (rating.figures.whole.num_items, rating.figures.whole.num_ratings) == (8, 24)
    assert (rank.figures.whole.num_items, rank.figures.whole.num_ratings) == (4, 12)
    assert rating.figures.level == rank.figures.level == "ordinal"
    assert rank.figures.whole.percent.value == pytest.approx(1 / 3)
    assert standing.splits == pytest.approx(dict.fromkeys((1, 2, 3, 4), 2 / 3))
    assert standing.labels is None


def _rate(output: int, value: float) -> tuple[OutputRating, ...]:
    return (OutputRating(output=output, criterion="quality", value=value),)


def test_who_rejects_what_others_let_stand_splits_too(team) -> None:
    def answer(place, task):
        rejected = (Rejection(output=task.outputs[0].id, reason="wrong"),) if place == 0 else ()
        return Answer(label="yes", rejected=rejected if task.instruction == 2 else ())

    answer_all(team, answer)
    assert standing_of(team.store, team.project).splits == pytest.approx({1: 0.0, 2: 2 / 3, 3: 0.0, 4: 0.0})


def test_items_without_all_answers_are_waited_for_by_domain(team) -> None:
    first, second, _ = team.people
    task = team.take(first)
    team.say(first, task, Answer(label="yes"))
    same = next(one for one in iter(lambda: team.take(second), None) if one.instruction == task.instruction)
    team.say(second, same, Answer(comment="unclear"))
    team.say(first, team.take(first), Answer(skip="no idea"))
    overview = standing_of(team.store, team.project).overview
    (waiting,) = overview.findings
    assert (waiting.kind, waiting.domain) == ("waiting", task.domain)
    assert waiting.figures == {"num_items": 1, "next_annotator": 3, "wanted": 3}
    assert overview.questions[0].figures.whole.alpha.note == "coefficient undefined: no item has two ratings"


def test_nothing_said_is_no_figure_and_no_project_is_told(team) -> None:
    standing = standing_of(team.store, team.project)
    assert (standing.overview.questions, standing.overview.findings, standing.splits) == ((), (), {})
    task = team.take(team.people[0])
    team.say(team.people[0], task, Answer(ranks=(OutputRank(output=task.outputs[0].id, rank=1),)))
    (rank,) = standing_of(team.store, team.project).overview.questions
    assert rank.figures.whole.alpha.value is None
    with pytest.raises(DataError, match="there is no project 99"):
        standing_of(team.store, 99)


def test_a_pseudonym_stays_and_is_nobody_elses(store) -> None:
    people = [add_person(store, f"Person {number}", Role.ANNOTATOR) for number in range(200)]
    before = pseudonyms(store)
    assert len(set(before.values())) == len(people)
    assert sorted(before.values()) != [before[person] for person in people]
    add_person(store, "Later", Role.ANNOTATOR)
    after = pseudonyms(store)
    assert before.items() <= after.items()
