"""What a store has to hold after a crowd has worked: what its members were told, each once, and nothing else."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from typing import Any

from annotation_crowd import JUDGEMENTS, Ledger
from sqlalchemy import func, select

from instructglm.annotation.queue.answers import Answer, read_answer
from instructglm.annotation.queue.progress import round_progress
from instructglm.annotation.store import Store
from instructglm.annotation.store.tables import Annotation, Assignment, Item, Submission, Unsaved
from instructglm.annotation.store.verify import verify


def check_store(store: Store, ledger: Ledger, project: int, *, num_saves: int, k: int) -> None:
    """All that "nothing lost" means, in the order in which one would look."""
    _check_told(store, ledger, num_saves)
    _check_annotators(store, k)
    _check_leases(store, project)
    _check_refused(store, ledger)
    assert verify(store).broken is None
    _check_file(store)


def _check_told(store: Store, ledger: Ledger, num_saves: int) -> None:
    """What was told is there, exactly once and exactly as it was sent; and nothing is there that was not told."""
    columns = (Submission.id, Submission.person, Submission.key, Submission.assignment, Submission.revision)
    with store.read() as connection:
        rows = connection.execute(select(*columns, Submission.event)).all()
        answers = {row.id: read_answer(connection, row.id) for row in rows}
        num_annotations = connection.scalar(select(func.count()).select_from(Annotation))
    stored = {(row.person, row.key): row for row in rows}
    assert len(stored) == len(rows) == len(ledger.told) == num_saves
    assert {(one.person, one.key) for one in ledger.told} == set(stored)
    for one in ledger.told:
        row = stored[one.person, one.key]
        said = {"submission": row.id, "revision": row.revision, "event": row.event}
        assert {**said, "repeated": one.saved["repeated"]} == one.saved
        assert (row.assignment, answers[row.id]) == (one.assignment, Answer.model_validate(one.answer))
    assert num_annotations == JUDGEMENTS * num_saves


def _check_annotators(store: Store, k: int) -> None:
    """Every item has exactly k annotators, all different, and counts as many."""
    people: dict[int, list[int]] = defaultdict(list)
    with store.read() as connection:
        items = connection.execute(select(Item.instruction, Item.needed, Item.taken)).all()
        for row in connection.execute(select(Submission.instruction, Submission.person)):
            people[row.instruction].append(row.person)
    assert {(row.needed, row.taken) for row in items} == {(k, k)}
    assert set(people) == {row.instruction for row in items}
    assert {(len(found), len(set(found))) for found in people.values()} == {(k, k)}


def _check_leases(store: Store, project: int) -> None:
    """Nothing is held by anybody any more, and the round is at its end."""
    with store.read() as connection:
        states = Counter(connection.scalars(select(Assignment.state)))
        num_saves = connection.scalar(select(func.count()).select_from(Submission))
    assert set(states) <= {"done", "returned"}
    assert states["done"] == num_saves
    (progress,) = round_progress(store, project)
    assert progress.num_done == progress.num_places == num_saves


def _check_refused(store: Store, ledger: Ledger) -> None:
    """What came after its lease had ended, and its item had found others, was kept for its author."""
    with store.read() as connection:
        rows = connection.execute(select(Unsaved.person, Unsaved.body)).all()
    kept = [(row.person, Answer.model_validate(row.body)) for row in rows]
    assert all((person, Answer.model_validate(sent)) in kept for person, sent in ledger.refused)


def _check_file(store: Store) -> None:
    """SQLite's own look at its file."""
    if store.engine.dialect.name != "sqlite":
        return
    connection = sqlite3.connect(str(store))

    def told(pragma: str) -> list[Any]:
        return connection.execute(f"PRAGMA {pragma}").fetchall()

    try:
        assert told("integrity_check") == [("ok",)]
        assert told("foreign_key_check") == []
    finally:
        connection.close()
