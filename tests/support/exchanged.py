"""A project in which everything was said that can be, and what a project holds, for comparing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from instructglm.annotation.exchange import Source, Taken, export, import_rows
from instructglm.annotation.exchange.entries import Entry
from instructglm.annotation.exchange.stored import entries
from instructglm.annotation.queue.answers import Answer, Edit, OutputRank, OutputRating, Rejection
from instructglm.annotation.queue.claim import next_task
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.queue.save import save
from instructglm.annotation.queue.tasks import Task
from instructglm.annotation.store import Store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, add_guideline, create_project
from instructglm.annotation.store.tables import Person, Role
from instructglm.data.rows import Row, read_rows

TOLD = {
    "task": "law/parking",
    "domain": "law",
    "complexity": "2",
    "language": "zh",
    "source": "by hand",
    "licence": "CC0-1.0",
    "choices": ["yes", "no"],
    "extra": {"page": 3, "nothing": None},
}
RECORDS = [
    {"instruction": "Is this lawful?", "input": "He parked.", "outputs": ["No.", "Yes.", "Perhaps."], **TOLD},
    {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "你好"},
            {"role": "assistant", "content": "你好！"},
            {"role": "user", "content": "=1+1?"},
        ],
        "outputs": [{"text": "2", "model": "chatglm-6b"}, "@two"],
        "choices": ["yes", "no"],
    },
    {"instruction": "Write a poem."},
]


def full_project(store: Store, clock: Any) -> int:
    """Two people, two rounds: written, edited, rated, ranked with a tie, labelled, rejected, flagged, skipped."""
    project = create_project(store, "law", Settings(annotators_per_item=2, gold_share=0))
    add_guideline(store, project, "Be kind.")
    import_records(store, project, [(str(place), one) for place, one in enumerate(RECORDS)])
    people = [add_person(store, name, Role.ANNOTATOR) for name in ("Ann", "王 伟")]
    for blind in (False, True):
        add_guideline(store, project, f"Be kinder: {blind}.")
        open_round(store, project, blind=blind, annotators=2)
        for person in people:
            while isinstance(task := next_task(store, project, person), Task):
                clock.advance(7.5)
                save(
                    store, person, task.assignment, _answer(task, person, blind), key=str(task.assignment), took_ms=1234
                )
    return project


def _answer(task: Task, person: int, blind: bool) -> Answer:
    shown = sorted(one.id for one in task.outputs)
    if not shown:
        return Answer(skip="no idea") if person == 1 else Answer(written=(f"A poem {blind}.", "又一首诗"), flag="hard")
    ranks = tuple(OutputRank(output=one, rank=1 if place < 2 else 2) for place, one in enumerate(shown))
    return Answer(
        written=(f"My own {person} {blind}.",) if person == 2 else (),
        edits=(Edit(output=shown[0], text=f"Better {person}."),),
        ratings=tuple(OutputRating(output=one, criterion="quality", value=(one + person) % 5 + 1) for one in shown),
        ranks=ranks if person == 1 else tuple(OutputRank(output=one, rank=place) for place, one in enumerate(shown, 1)),
        label="yes" if person == 1 or blind else "no",
        rejected=(Rejection(output=shown[-1], reason="rude"),) if blind else (Rejection(reason="not law"),),
        flag="look" if blind else None,
        comment="line one\nline two" if person == 1 else "",
    )


def content(store: Store, project: int) -> list[Entry]:
    """All that a project holds, with people by their names."""
    with store.read() as connection:
        names = {row.id: row.name for row in connection.execute(select(Person.id, Person.name))}
        return [*entries(connection, project, names.__getitem__, gold=True)]


def sent(store: Store, project: int, path: Any, format: str, **options: Any) -> Any:
    """Export to a file, and tell the account."""
    leaving = export(store, project, format, **options)
    path.write_bytes(b"".join(leaving))
    return leaving.account


def rows_of(path: Any) -> Iterator[Any]:
    for row in read_rows(path, path.name):
        yield (row.place, row.value) if isinstance(row, Row) else row


def taken(store: Store, project: int, path: Any, **options: Any) -> Taken:
    return import_rows(store, project, [Source(path.name, rows_of(path), options.pop("format", None))], **options)
