"""What a project has is counted right, whatever was withdrawn, answered twice or hidden as gold; on both databases."""

from __future__ import annotations

import numpy as np
import pytest
from annotation_team import Team, rate

from instructglm.annotation.collecting.assessment import assess
from instructglm.annotation.collecting.coverage import Coverage, coverage, drop_target, set_target
from instructglm.annotation.collecting.findings import what_to_collect_next
from instructglm.annotation.collecting.index import InstructionIndex
from instructglm.annotation.queue.gold import Gold, add_gold
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.store import Store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, Target, create_project, list_projects
from instructglm.annotation.store.reading import instructions
from instructglm.annotation.store.tables import Role
from instructglm.annotation.store.verify import verify
from instructglm.annotation.store.withdrawing import withdraw_instructions, withdraw_outputs
from instructglm.core.errors import DataError

RECORDS = [
    {
        "instruction": "Is parking here lawful?",
        "domain": "law",
        "complexity": "easy",
        "language": "en",
        "output": "No.",
    },
    {"instruction": "Draft a contract with two witnesses.", "domain": "law", "complexity": "hard", "language": "en"},
    {"instruction": "这份合同有效吗？", "domain": "law", "complexity": "easy", "language": "zh", "output": "有效。"},
    {"instruction": "What helps against a cold?", "domain": "health", "complexity": "easy", "language": "en"},
    {"instruction": "What helps against a cold", "domain": "health", "complexity": "easy", "language": "en"},
]


@pytest.fixture
def project(store: Store) -> int:
    number = create_project(store, "law", Settings(gold_share=0, annotators_per_domain={"health": 1}))
    import_records(store, number, [(str(place), record) for place, record in enumerate(RECORDS)])
    return number


def counted(found: Coverage) -> list[tuple[object, ...]]:
    return [tuple(cell.model_dump().values()) for cell in found.cells]


def test_every_cell_is_counted(store: Store, project: int) -> None:
    assert counted(coverage(store, project)) == [
        ("health", "easy", "en", 2, 0, 0, 0),
        ("law", "easy", "en", 1, 1, 0, 0),
        ("law", "easy", "zh", 1, 1, 0, 0),
        ("law", "hard", "en", 1, 0, 0, 0),
    ]


def test_what_is_withdrawn_is_not_there(store: Store, project: int) -> None:
    withdraw_instructions(store, project, [4], "a repeat")
    withdraw_outputs(store, project, [1], "wrong")
    assert counted(coverage(store, project))[:2] == [
        ("health", "easy", "en", 1, 0, 0, 0),
        ("law", "easy", "en", 1, 0, 0, 0),
    ]


def test_an_item_is_annotated_when_enough_people_answered_it(store: Store, project: int) -> None:
    """Law needs two people, health one; a person who answers twice, in two rounds, is one person."""
    team = Team(store, project, [add_person(store, name, Role.ANNOTATOR) for name in ("Ann", "Bob")])
    law = [1, 3]
    for _ in range(2):
        open_round(store, project, instructions=law)
        for _ in law:
            team.say(team.people[0], task := team.take(team.people[0]), rate(task, 3.0))
    assert sum(cell.num_annotated for cell in coverage(store, project).cells) == 0
    open_round(store, project, instructions=[1], annotators=1)
    team.say(team.people[1], task := team.take(team.people[1]), rate(task, 4.0))
    assert [cell.num_annotated for cell in coverage(store, project).cells] == [0, 1, 0, 0]
    assert [cell.num_waiting for cell in coverage(store, project).cells] == [2, 0, 1, 1]


def test_gold_is_neither_annotated_nor_waiting(store: Store, project: int) -> None:
    add_gold(store, project, [Gold(instruction=1, output=1, criterion="quality", value=3.0)])
    cell = coverage(store, project).cells[1]
    assert (cell.num_gold, cell.num_annotated, cell.num_waiting) == (1, 0, 0)


def test_targets_are_kept_counted_and_dropped(store: Store, project: int) -> None:
    set_target(store, project, Target(domain="law", num=10))
    set_target(store, project, Target(domain="law", complexity="hard", num=3))
    set_target(store, project, Target(domain="law", num=5))
    reached = {one.target.place: (one.num_instructions, one.target.num) for one in coverage(store, project).targets}
    assert reached == {("law", "hard", None): (1, 3), ("law", None, None): (3, 5)}
    drop_target(store, project, domain="law", complexity="hard")
    drop_target(store, project, language="fr")
    assert [one.num_missing for one in coverage(store, project).targets] == [2]
    assert verify(store).broken is None
    assert [one.kind for one in _events(store)].count("settings changed") == 4


def _events(store: Store):
    from sqlalchemy import select

    from instructglm.annotation.store.tables import Event

    with store.read() as connection:
        return connection.execute(select(Event.kind).order_by(Event.number)).all()


def test_settings_of_an_older_store_have_no_targets() -> None:
    held = Settings().model_dump(mode="json")
    del held["targets"]
    assert Settings.model_validate(held).targets == ()
    with pytest.raises(ValueError, match="two of them"):
        Settings(targets=(Target(num=1), Target(num=2)))


def test_what_is_missing_is_said_in_words(store: Store, project: int) -> None:
    set_target(store, project, Target(domain="law", complexity="hard", num=4))
    set_target(store, project, Target(language="zh", num=1))
    found = what_to_collect_next(coverage(store, project), [(4, 5)])
    assert [one.text for one in found] == [
        "domain law, complexity hard: 1 of 4 instructions: collect 3 more",
        "2 instructions are near-duplicates, in 1 groups: reword or withdraw all but 1",
        "domain health: 2 instructions have no output: write some, or let a model draft them",
        "domain health: 2 instructions wait for annotators",
        "domain law: 1 instructions have no output: write some, or let a model draft them",
        "domain law: 3 instructions wait for annotators",
    ]
    assert found[0].figures == {"num_instructions": 1, "wanted": 4, "num_missing": 3}


def test_without_targets_gaps_and_rare_domains_are_told(store: Store) -> None:
    project = create_project(store, "wide")
    sizes = {"law": 30, "health": 20, "tax": 2, "": 1}
    records = [
        {
            "instruction": f"{domain} {number}",
            "domain": domain,
            "complexity": "hard" if domain == "law" and number else "easy",
        }
        for domain, size in sizes.items()
        for number in range(size)
    ]
    import_records(store, project, [(str(place), record) for place, record in enumerate(records)])
    texts = [one.text for one in what_to_collect_next(coverage(store, project), ())]
    assert texts[:5] == [
        "domain tax: 2 instructions, where half of the domains have 20 or more",
        "domain health, complexity hard: no instruction, beside 20 of this domain and 29 so complex",
        "domain tax, complexity hard: no instruction, beside 2 of this domain and 29 so complex",
        "1 instructions do not say their domain: they count for no target of one",
        "53 instructions do not say their language: they count for no target of one",
    ]


def test_near_duplicates_are_found_while_one_types(store: Store, project: int) -> None:
    index = InstructionIndex(store, project)
    found = index.nearest("what helps against  a cold?!")
    assert [(one.instruction, one.similarity) for one in found] == [(4, 1.0), (5, 1.0)]
    assert found[0].text == "What helps against a cold?"
    import_records(store, project, [("1", {"instruction": "这份合同有效吗"})])
    assert [one.instruction for one in index.nearest("这份合同有效吗")] == [3, 6]
    withdraw_instructions(store, project, [3], "a repeat")
    assert [one.instruction for one in index.nearest("这份合同有效吗")] == [6]
    assert index.clusters() == ((4, 5),)
    assert len(index) == 6


@pytest.mark.parametrize(
    "text", ["\0\0 a", "\u202egnirts\u202c", "字" * 1_000_000, "<script>alert(1)</script>", "{{ 7*7 }}"]
)
def test_hostile_instructions_are_compared_as_they_are(store: Store, project: int, text: str) -> None:
    import_records(store, project, [("1", {"instruction": text})])
    assert InstructionIndex(store, project).nearest(text, 1)[0][:2] == (6, 1.0)


def test_a_collection_is_assessed_in_one_call(store: Store, project: int) -> None:
    found = assess(store, project, np.random.default_rng(0))
    assert found.coverage.num_instructions == 5
    assert [one.instructions for one in found.clusters] == [(4, 5)]
    assert {one.measure for one in found.diversity} >= {"distinct_2", "vendi_trigrams"}
    assert [one.complexity for one in found.complexity] == ["easy", "hard"]
    assert found.findings
    empty = create_project(store, "empty")
    assert assess(store, empty, np.random.default_rng(0)).findings == ()
    with pytest.raises(DataError, match="there is no project 9"):
        assess(store, 9, np.random.default_rng(0))
    assert {one.name for one in list_projects(store)} == {"law", "empty"}
    assert len(list(instructions(store, project))) == 5
