"""Reading back: what holds, as plain records and arrays, now and at any event."""

import numpy as np
import pytest
from sqlalchemy import text

from instructglm.annotation.agreement import krippendorff_alpha
from instructglm.annotation.queue.answers import Answer, OutputRating
from instructglm.annotation.queue.claim import next_task
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.queue.save import save
from instructglm.annotation.store.chain import head
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import (
    Settings,
    add_guideline,
    change_settings,
    create_project,
    list_projects,
    read_guideline,
)
from instructglm.annotation.store.reading import as_columns, instructions, judgements, outputs
from instructglm.annotation.store.tables import Kind, Role
from instructglm.annotation.store.withdrawing import withdraw_instructions, withdraw_outputs
from instructglm.core.errors import DataError


@pytest.fixture
def rated(store, clock):
    """Three items, rated by two people, one of whom then changes their mind on the last."""
    project = create_project(store, "talk", Settings(annotators_per_item=2, gold_share=0))
    records = [(str(n), {"instruction": f"Say {n}.", "outputs": ["x"], "domain": "talk"}) for n in range(3)]
    import_records(store, project, records)
    open_round(store, project)
    for person, values in ((add_person(store, "Ann", Role.ANNOTATOR), (1, 2, 5)), (2, (1, 2, 3))):
        if person == 2:
            add_person(store, "Bo", Role.ANNOTATOR)
        for value in values:
            clock.advance(10)
            task = next_task(store, project, person)
            rating = OutputRating(output=task.outputs[0].id, criterion="quality", value=value)
            answer = Answer(ratings=(rating,), comment="hm")
            save(store, person, task.assignment, answer, key=str(task.assignment), took_ms=9000)
    with store.read() as connection:
        before = head(connection).number
    changed = answer.model_copy(update={"ratings": (rating.model_copy(update={"value": 5}),)})
    save(store, person, task.assignment, changed, key="changed", based_on=1)
    return project, before


def ratings(store, project, **options):
    return [(j.annotator, j.value) for j in judgements(store, project, kinds=(Kind.RATING,), **options)]


def test_the_last_word_of_everybody_holds(store, rated) -> None:
    project, _ = rated
    assert ratings(store, project) == [(1, 1), (1, 2), (1, 5), (2, 1), (2, 2), (2, 5)]
    assert len(list(judgements(store, project))) == 12
    assert list(judgements(store, project, round=2)) == []
    assert list(judgements(store, project, criterion="beauty")) == []
    first = next(judgements(store, project))
    assert (first.domain, first.round, first.took_ms, first.kind) == ("talk", 1, 9000, "rating")


def test_any_earlier_state_can_be_read(store, rated) -> None:
    project, before = rated
    assert ratings(store, project, as_of=before) == [(1, 1), (1, 2), (1, 5), (2, 1), (2, 2), (2, 3)]
    assert ratings(store, project, as_of=2) == []
    assert len(list(instructions(store, project, as_of=2))) == 3
    assert list(instructions(store, project, as_of=1)) == []
    assert list(instructions(store, project, as_of=0)) == []
    with pytest.raises(DataError, match="there is no event 99"):
        list(instructions(store, project, as_of=99))


def test_the_arrays_are_what_agreement_takes(store, rated) -> None:
    project, before = rated
    columns = as_columns(judgements(store, project, kinds=(Kind.RATING,), as_of=before))
    assert columns.values.tolist() == [1, 2, 5, 1, 2, 3]
    assert columns.annotators.tolist() == [1, 1, 1, 2, 2, 2]
    assert np.all(np.diff(columns.at_ms) == 10_000)
    units = [columns.values[columns.items == item].tolist() for item in np.unique(columns.items)]
    assert sorted(map(sorted, units)) == [[1, 1], [2, 2], [3, 5]]
    alpha = krippendorff_alpha(units, "interval", np.random.default_rng(0)).alpha
    assert alpha == pytest.approx(1 - (2 * 4 / 6) / (136 / 30))
    nothing = as_columns(judgements(store, project, kinds=(Kind.LABEL,)))
    assert [len(column) for column in nothing] == [0] * 7


def test_what_is_withdrawn_is_out_from_then_on(store, rated) -> None:
    project, _ = rated
    with store.read() as connection:
        before = head(connection).number
    withdraw_outputs(store, project, [1], "spam")
    withdraw_instructions(store, project, [3], "not allowed")
    assert [one.id for one in outputs(store, project)] == [2, 3]
    assert [one.id for one in instructions(store, project)] == [1, 2]
    assert [one.id for one in outputs(store, project, as_of=before)] == [1, 2, 3]
    held = list(judgements(store, project))
    assert {(one.instruction, one.kind) for one in held} == {(1, "comment"), (2, "comment"), (2, "rating")}
    assert len(list(judgements(store, project, as_of=before))) == 12
    with pytest.raises(DataError, match="output 99: not of this project"):
        withdraw_outputs(store, project, [1, 99], "spam")


def test_projects_and_guidelines(store) -> None:
    project = create_project(store, "law")
    with pytest.raises(DataError, match="already a project named 'law'"):
        create_project(store, "law")
    change_settings(store, project, Settings(annotators_per_item=5))
    (found,) = list_projects(store)
    assert (found.name, found.settings.annotators_per_item) == ("law", 5)
    assert read_guideline(store, project) is None
    assert [add_guideline(store, project, words) for words in ("Be kind.", "Be kinder.")] == [1, 2]
    assert (read_guideline(store, project), read_guideline(store, project, 1)) == ("Be kinder.", "Be kind.")
    with pytest.raises(DataError, match="there is no project 9"):
        add_guideline(store, 9, "x")
    with pytest.raises(ValueError, match="at least 1 each; found less for law"):
        Settings(annotators_per_domain={"law": 0})


def test_reading_judgements_uses_the_indexes(store, rated) -> None:
    project, _ = rated
    with store.read() as connection:
        if connection.dialect.name != "sqlite":
            pytest.skip("PostgreSQL plans by the sizes of its tables: see benchmarks/annotation_store.py")
    from sqlalchemy import event

    seen: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *given: seen.append((given[2], given[3])))
    list(judgements(store, project))
    list(outputs(store, project))
    wanted = [one for one in seen if one[0].startswith("SELECT") and "JOIN" in one[0]]
    assert len(wanted) == 2
    with store.read() as connection:
        for statement, values in wanted:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
            assert sum(row.detail.startswith("SCAN") for row in plan) <= 1, plan
        assert connection.scalar(text("SELECT 1")) == 1
