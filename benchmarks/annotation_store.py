"""How fast the annotation store is at the size of a big project, on SQLite or PostgreSQL.

    python benchmarks/annotation_store.py [--place PLACE] [--instructions 100000] [--annotators 10]

Imports instructions with an output each through the ordinary door, fills in a rating of every item by each annotator
(in large events, as an import of a finished project would), then measures: the next item for people who have done much
and nothing, a save with all it does, reading all ratings back, the agreement of all of them, verifying the log, and the
peak memory of the process.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert, text, update

from instructglm.annotation.agreement import krippendorff_alpha
from instructglm.annotation.queue.answers import Answer, OutputRating
from instructglm.annotation.queue.claim import next_task
from instructglm.annotation.queue.progress import people_progress, round_progress
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.queue.save import Saved, save
from instructglm.annotation.queue.tasks import Task
from instructglm.annotation.store import Store, open_store
from instructglm.annotation.store.chain import Change, record
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, create_project
from instructglm.annotation.store.reading import judgements
from instructglm.annotation.store.tables import Annotation, Assignment, Cursor, Item, Kind, Role, Submission
from instructglm.annotation.store.verify import verify

DOMAINS = ("law", "medicine", "code", "talk", "maths")
IN_ONE_EVENT = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--place", help="a path or the URL of an empty database; default: a temporary SQLite file")
    parser.add_argument("--instructions", type=int, default=100_000)
    parser.add_argument("--annotators", type=int, default=10, help="ratings of each instruction")
    parser.add_argument("--saves", type=int, default=200, help="how many answers are timed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = given.place or str(Path(folder) / "annotations.db")
        with open_store(place, create=True) as store:
            print(f"{store.engine.dialect.name}, {given.instructions} instructions, {given.annotators} annotators each")
            print("| what | figure |\n|---|---|")
            measure(store, given.instructions, given.annotators, given.saves)


def measure(store: Store, num_instructions: int, num_annotators: int, num_saves: int) -> None:
    # One place of each item stays free, so that there is a next item for everybody.
    settings = Settings(annotators_per_item=num_annotators + 1, gold_share=0)
    project = create_project(store, "big", settings)
    took_s = timed(lambda: import_records(store, project, records(num_instructions)))
    tell("import", f"{2 * num_instructions / took_s:,.0f} rows/s ({num_instructions / took_s:,.0f} instructions/s)")
    tell("opening a round", f"{timed(lambda: open_round(store, project)):.1f} s")
    people = [add_person(store, f"Person {one}", Role.ANNOTATOR) for one in range(num_annotators)]
    tell("filling in", f"{timed(lambda: fill(store, people, num_instructions)):.0f} s")
    if store.engine.dialect.name == "postgresql":
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
    newcomers = [add_person(store, f"Newcomer {one}", Role.ANNOTATOR) for one in range(5)]
    claims, saves = answers(store, project, newcomers, num_saves)
    tell("next item, somebody new", spread(claims))
    tell("save", spread(saves))
    took_s = timed(lambda: crowd(store, project, newcomers, num_saves))
    tell(f"{len(newcomers)} people at once", f"{num_saves / took_s:,.0f} items a second, each claimed and saved")
    idle = [timed(lambda person=person: next_task(store, project, person)) for person in people]  # type: ignore[misc]
    tell("next item, somebody who has done all", spread(idle))
    tell(
        "progress of rounds and people",
        f"{timed(lambda: (round_progress(store, project), people_progress(store, project))):.2f} s",
    )
    reading(store, project)
    tell("verifying the log", f"{timed(lambda: verify(store)):.1f} s")
    tell("peak memory", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


def records(number: int) -> Iterator[tuple[str, Any]]:
    for place in range(number):
        record = {
            "instruction": f"Question {place}: what follows from paragraph {place % 997} of this text? " + "word " * 30,
            "outputs": [f"From it follows number {place}, because " + "so " * 50],
            "domain": DOMAINS[place % len(DOMAINS)],
        }
        yield f"records:{place + 1}", record


def fill(store: Store, people: list[int], num_instructions: int) -> None:
    """Every person rates every item, and has walked the whole queue."""
    dice, number = np.random.default_rng(0), 0
    for person in people:
        values = dice.integers(1, 6, num_instructions)
        for start in range(0, num_instructions, IN_ONE_EVENT):
            block = range(start, min(start + IN_ONE_EVENT, num_instructions))
            add_ratings(store, person, [(number + 1 + one, one + 1, float(values[one])) for one in block])
        number += num_instructions
    with store.write() as write:
        write.connection.execute(update(Item).values(taken=len(people)))
        end = {"round": 1, "position": num_instructions, "num_given": num_instructions}
        write.connection.execute(insert(Cursor), [{"person": person, **end} for person in people])


def add_ratings(store: Store, person: int, rows: list[tuple[int, int, float]]) -> None:
    with store.write() as write:
        common = {"round": 1, "person": person}
        times = {"given_ms": write.now_ms, "renewed_ms": write.now_ms}
        change = Change("filled in", 1, person)
        assignments = []
        for number, instruction, value in rows:
            shown = {"instruction": instruction, "shown": [instruction]}
            assignments.append({"id": number, "state": "done", "is_gold": False, **common, **times, **shown})
            saved = {"revision": 1, "key": str(number), "answer_hash": "", "took_ms": 20_000, "at_ms": write.now_ms}
            change.add(Submission, id=number, assignment=number, **common, **shown, **saved)
            rating = {"kind": str(Kind.RATING), "criterion": "quality", "value": value, "output": instruction}
            change.add(Annotation, id=number, submission=number, **rating)
        write.connection.execute(insert(Assignment), assignments)
        record(write, change)


def answers(store: Store, project: int, people: list[int], number: int) -> tuple[list[float], list[float]]:
    """Seconds of each claim and each save."""
    claims, saves = [], []
    for one in range(number):
        person = people[one % len(people)]
        start = time.perf_counter()
        task = next_task(store, project, person)
        claims.append(time.perf_counter() - start)
        assert isinstance(task, Task)
        answer = Answer(ratings=(OutputRating(output=task.outputs[0].id, criterion="quality", value=3),), comment="ok")
        start = time.perf_counter()
        assert isinstance(save(store, person, task.assignment, answer, key=str(one)), Saved)
        saves.append(time.perf_counter() - start)
    return claims, saves


def crowd(store: Store, project: int, people: list[int], number: int) -> None:
    def work(person: int) -> None:
        for one in range(number // len(people)):
            task = next_task(store, project, person)
            assert isinstance(task, Task)
            assert isinstance(save(store, person, task.assignment, Answer(comment="ok"), key=f"crowd {one}"), Saved)

    with ThreadPoolExecutor(len(people)) as pool:
        list(pool.map(work, people))


def reading(store: Store, project: int) -> None:
    units: dict[str, list[float]] = {}

    def read() -> None:
        for judgement in judgements(store, project, kinds=(Kind.RATING,)):
            units.setdefault(judgement.item, []).append(judgement.value or 0.0)

    took_s, number = timed(read), sum(map(len, units.values()))
    tell("reading ratings back", f"{took_s:.1f} s for {number:,} ({number / took_s:,.0f}/s)")
    took_s = timed(
        lambda: krippendorff_alpha(list(units.values()), "interval", np.random.default_rng(0), num_draws=100)
    )
    tell("agreement of them (100 draws)", f"{took_s:.1f} s")


def timed(do: Callable[[], Any]) -> float:
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


def spread(seconds: list[float]) -> str:
    ordered = sorted(1000 * one for one in seconds)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    return (
        f"median {statistics.median(ordered):.1f} ms, p95 {p95:.1f} ms, worst {ordered[-1]:.1f} ms (n = {len(ordered)})"
    )


def tell(what: str, figure: str) -> None:
    print(f"| {what} | {figure} |", flush=True)


if __name__ == "__main__":
    main()
