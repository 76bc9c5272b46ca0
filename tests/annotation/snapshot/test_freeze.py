"""A snapshot is named by what made it, whole or not at all, and the same wherever it is made."""

import json
import sys

import pytest
from frozen_projects import Annotated, rank, rate, reject
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.snapshot.freeze import preview
from instructglm.annotation.snapshot.manifest import read_manifest
from instructglm.annotation.snapshot.options import Options
from instructglm.annotation.store import open_store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, change_settings, create_project
from instructglm.annotation.store.reading import outputs
from instructglm.annotation.store.tables import Role
from instructglm.core.errors import DataError

RECORDS = [
    {"instruction": "Explain.", "outputs": [{"text": "a", "model": "m"}, "b"], "domain": "law", "licence": "CC0-1.0"},
    {"instruction": "Is it?", "choices": ["yes", "no"], "domain": "法律", "language": "zh", "extra": {"n": 1}},
    {"instruction": "Write.", "domain": "law", "complexity": "2", "source": "own"},
]


def answer(task) -> Answer:
    if task.choices:
        return Answer(label="yes")
    if not task.outputs:
        return Answer(written=(f"written by {len(task.messages)}",))
    return rate(task, {"a": 4, "b": 2})


@pytest.fixture
def team(project) -> Annotated:
    made = project(RECORDS, 2)
    for person in made.people:
        made.walk(person, answer)
    return made


def files(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_state_and_options_make_the_same_bytes_on_both_databases(empty_postgres, clock, tmp_path) -> None:
    made = []
    for place in (str(tmp_path / "a.db"), empty_postgres()):
        with open_store(place, create=True, clock=clock) as store:
            number = create_project(store, "law", Settings(gold_share=0))
            import_records(store, number, [(str(one), record) for one, record in enumerate(RECORDS)])
            people = [add_person(store, name, Role.ANNOTATOR) for name in ("Ann", "安")]
            open_round(store, number)
            team = Annotated(store, number, people)
            for person in people:
                team.walk(person, answer)
            made.append(team.freeze(tmp_path / str(len(made))))
    assert made[0].folder.name == made[1].folder.name
    assert files(made[0].folder) == files(made[1].folder)
    assert sorted(files(made[0].folder)) == sorted(["card.md", "examples.jsonl", "ledger.jsonl", "manifest.json", "preferences.jsonl"])  # fmt: skip # noqa: E501


def test_an_old_state_is_made_again_whatever_came_later(team, tmp_path) -> None:
    first = team.freeze(tmp_path / "one")
    event = int(first.manifest.summary.event.partition(":")[0])
    change_settings(team.store, team.project, Settings(criteria={"other": {"low": 0, "high": 9}}))
    open_round(team.store, team.project)
    team.walk(team.people[0], lambda task: reject(task))
    again = team.freeze(tmp_path / "two", as_of=event)
    assert files(first.folder) == files(again.folder)
    with pytest.raises(DataError, match="there is no event 999"):
        team.freeze(tmp_path, as_of=999)
    with pytest.raises(DataError, match="at event 1 there was no project other"):
        Annotated(team.store, create_project(team.store, "other"), []).freeze(tmp_path, as_of=1)


def test_what_happens_in_another_project_changes_nothing(team, tmp_path) -> None:
    first = team.freeze(tmp_path)
    import_records(team.store, create_project(team.store, "other"), [("1", RECORDS[0])])
    again = team.freeze(tmp_path)
    assert (again.folder, first.snapshot.is_new, again.snapshot.is_new) == (first.folder, True, False)


def test_a_snapshot_that_was_changed_is_made_anew(team, tmp_path) -> None:
    first = team.freeze(tmp_path)
    before = files(first.folder)
    (first.folder / "examples.jsonl").write_text("{}\n")
    assert team.freeze(tmp_path).snapshot.is_new
    assert files(first.folder) == before


def test_what_is_told_of_an_instruction_arrives(team, tmp_path) -> None:
    found = team.freeze(tmp_path)
    told = {example["row"]: example["metadata"] for example in found.examples}
    assert told["law:2"] | {"confidence": 1.0} == {
        "domain": "法律", "language": "zh", "extra": {"n": 1}, "confidence": 1.0, "decided_by": "people",
        "num_annotators": 2, "origins": ["label"],
    }  # fmt: skip
    assert [example["task"] for example in found.examples] == ["law"] * 3
    coverage = {
        (one.column, one.value): (one.num_instructions, one.num_accepted) for one in found.manifest.summary.coverage
    }
    assert coverage["domain", "law"] == (2, 2)
    assert coverage["licence", ""] == (2, 2)
    card = (found.folder / "card.md").read_text(encoding="utf-8")
    for text in (
        found.manifest.summary.event,
        "CC0-1.0",
        "法律",
        "labels of law",
        "ratings by quality",
        "answers in round 1",
    ):
        assert text in card
    assert read_manifest(found.folder) == found.manifest


def test_a_preview_tells_the_same_numbers_and_writes_nothing(team, tmp_path) -> None:
    told = preview(team.store, team.project)
    assert not any(tmp_path.glob("law-*"))
    assert told == team.freeze(tmp_path).manifest.summary
    nothing = preview(team.store, team.project, Options(min_annotators=9))
    assert (nothing.num_examples, nothing.left_out.instructions) == (0, {"too_few_annotators": 3})


def test_nobody_said_anything_and_nothing_at_all(project, tmp_path) -> None:
    empty = preview(project(RECORDS, 0).store, 1)
    assert empty.left_out.instructions == {"unjudged": 2, "no_output": 1}


def test_a_criterion_that_is_no_longer_asked_for_does_not_count(team, tmp_path) -> None:
    change_settings(team.store, team.project, Settings(criteria={"style": {"low": 1, "high": 3}}))
    found = team.freeze(tmp_path)
    assert found.manifest.summary.num_unusable_ratings == 4
    assert found.why_not(1) == "none_accepted"
    assert [one.subject for one in found.manifest.agreement if not one.part] == ["labels of law"]
    change_settings(team.store, team.project, Settings(criteria={"quality": {"low": 1, "high": 3}}))
    narrower = team.freeze(tmp_path)
    assert narrower.manifest.summary.num_unusable_ratings == 2


@pytest.mark.parametrize("text", ["a\0b\1c", "\u202eright\u2028to\u2029left\x85", "<script>|`*_#", "长" * 350_000])
def test_texts_come_through_as_they_were_typed(project, tmp_path, text) -> None:
    from instructglm.config.data import RowSource
    from instructglm.data.sources import read_source

    record = {"instruction": text, "domain": text[:9], "choices": [text[:50], "no"], "task": text[:9]}
    team = project([record, {"instruction": "write"}], 1)
    team.walk(team.people[0], lambda task: Answer(label=text[:50]) if task.choices else Answer(written=(text,)))
    found = team.freeze(tmp_path)
    source = RowSource(path=str(found.folder / "examples.jsonl"), format="snapshot")
    reading = read_source(source, tmp_path)
    closed, open_ = reading.examples
    assert (closed.messages[0].content, closed.outputs[0].text, closed.metadata["domain"]) == (
        text,
        text[:50],
        text[:9],
    )
    assert open_.outputs[0].text == text
    assert (reading.faults, reading.empty) == ([], [])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_whatever_is_said_nothing_is_lost(place, tmp_path_factory, data) -> None:
    """Every instruction and output is either in or in the ledger, once; weights are above 0."""
    folder = tmp_path_factory.mktemp("any")
    with open_store(str(folder / "annotations.db"), create=True) as store:
        number = create_project(store, "any", Settings(gold_share=0, annotators_per_item=3))
        import_records(store, number, [(str(one), record) for one, record in enumerate(RECORDS)])
        people = [add_person(store, f"P{one}", Role.ANNOTATOR) for one in range(3)]
        open_round(store, number)
        team = Annotated(store, number, people)
        for person in people:
            team.walk(person, lambda task: any_answer(task, data))
        told = preview(store, number)
        assert sum(told.left_out.instructions.values()) + told.num_examples == 3
        if not told.num_examples:
            return
        found = team.freeze(folder)
        stored = list(outputs(store, number))
        gone = [one["output"] for one in found.ledger if one["output"] is not None]
        num_labels = told.origins.get("label", 0)
        assert len(gone) == len(set(gone))
        assert len(gone) + told.num_outputs - num_labels == len(stored)
        assert all(0 < one["weight"] < sys.float_info.max for row in found.examples for one in row["outputs"])
        assert all(pair["margin"] > 0 for pair in found.preferences)
        assert json.loads((found.folder / "manifest.json").read_text())["summary"]["num_examples"] == told.num_examples


def any_answer(task, data) -> Answer | None:
    kind = data.draw(st.sampled_from(["skip", "label", "write", "rate", "rank", "reject", "flag"]))
    texts = [one.text for one in task.outputs]
    if kind == "label" and task.choices:
        return Answer(label=data.draw(st.sampled_from(task.choices)))
    if kind == "write":
        return Answer(written=(data.draw(st.sampled_from(["a", "new", " "])),))
    if kind == "rate" and texts:
        return rate(task, {text: data.draw(st.integers(1, 5)) for text in texts})
    if kind == "rank" and texts:
        return rank(task, {text: data.draw(st.integers(1, 3)) for text in texts})
    if kind == "reject":
        return reject(task, *data.draw(st.lists(st.sampled_from(texts), unique=True)) if texts else ())
    return Answer(flag="?") if kind == "flag" else None
