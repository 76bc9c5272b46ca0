"""A project in which people have said known things and split, for the tests of a reviewer's pages."""

from __future__ import annotations

from annotation_team import Team, rate

from instructglm.annotation.queue.answers import Answer, OutputRank, Rejection
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.queue.tasks import Task
from instructglm.annotation.store import Store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Scale, Settings, add_guideline, create_project
from instructglm.annotation.store.tables import Role

QUESTIONS = (
    (
        "May a landlord enter a rented flat without notice?",
        "law",
        ("Yes, it is his.", "Only with the tenant's consent."),
    ),
    ("发烧的孩子可以吃阿司匹林吗？", "健康", ("可以，剂量减半即可。", "不可以，儿童服用有瑞氏综合征的风险。")),
    ("Is an oral contract binding?", "law", ("As a rule it is.", "No, never.")),
    ("一天应该喝多少水？", "健康", ("因人而异，口渴时喝即可。", "必须喝八杯。")),
)
LABELS = (("yes", "no"), ("no", "yes"), ("yes", "yes"), ("no", "no"))
"""What the two people say to each question: they split on the first two."""


def disputed(store: Store) -> Team:
    """Four questions that two people have answered."""
    settings = Settings(annotators_per_item=2, gold_share=0, criteria={"quality": Scale(), "safety": Scale(high=3)})
    project = create_project(store, "advice", settings)
    records = [
        (str(place), {"instruction": text, "domain": domain, "outputs": list(outputs), "choices": ["yes", "no"]})
        for place, (text, domain, outputs) in enumerate(QUESTIONS)
    ]
    import_records(store, project, records)
    add_guideline(store, project, "Say yes or no, and rate every answer.")
    people = [add_person(store, f"Person {number}", Role.ANNOTATOR) for number in range(2)]
    open_round(store, project)
    team = Team(store, project, people)
    for place, person in enumerate(people):
        for _ in QUESTIONS:
            task = team.take(person)
            team.say(person, task, _answer(task, place), took_ms=42_000)
    return team


def _answer(task: Task, place: int) -> Answer:
    ordered = sorted(output.id for output in task.outputs)
    label = LABELS[task.instruction - 1][place]
    is_split = len(set(LABELS[task.instruction - 1])) > 1
    ranks = tuple(
        OutputRank(output=one, rank=rank)
        for rank, one in enumerate(ordered if place or not is_split else ordered[::-1], start=1)
    )
    rejected = (Rejection(output=ordered[0], reason="This could hurt somebody."),) if is_split and place else ()
    comment = "The source would help." if place else None
    return Answer(
        label=label, ratings=rate(task, 4 - 2 * place).ratings, ranks=ranks, rejected=rejected, comment=comment
    )
