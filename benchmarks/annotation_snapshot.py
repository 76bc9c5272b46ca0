"""How long a snapshot of a big project takes, and how much memory.

    python benchmarks/annotation_snapshot.py [--instructions 100000] [--annotators 10]

Fills an SQLite file with instructions: half of them closed questions that every annotator labels, half open tasks with
two outputs of which each annotator rates one, so that there are as many judgements as instructions times annotators.
Filling goes in large events and is not measured. A process of its own then makes the snapshot.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert

from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.snapshot.freeze import freeze, preview
from instructglm.annotation.store import Store, open_store
from instructglm.annotation.store.chain import Change, record
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, create_project
from instructglm.annotation.store.tables import Annotation, Assignment, Kind, Role, Submission

DOMAINS = ("law", "medicine", "code", "talk", "maths")
CHOICES = ("A", "B", "C", "D")
IN_ONE_EVENT = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instructions", type=int, default=100_000)
    parser.add_argument("--annotators", type=int, default=10, help="judgements of each instruction")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "annotations.db"
        with open_store(str(place), create=True) as store:
            fill(store, given.instructions, given.annotators)
        print(f"{given.instructions} instructions, {given.instructions * given.annotators} judgements", flush=True)
        print("| what | seconds | peak memory of the process |\n|---|---|---|", flush=True)
        for what in ("preview", "freeze"):
            process = multiprocessing.get_context("spawn").Process(target=measure, args=(what, place))
            process.start()
            process.join()


def measure(what: str, place: Path) -> None:
    start = time.perf_counter()
    with open_store(str(place)) as store:
        if what == "preview":
            preview(store, 1)
        else:
            freeze(store, 1, out=place.parent)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {what} | {time.perf_counter() - start:.1f} | {peak:,.0f} MiB |", flush=True)


def fill(store: Store, num_instructions: int, num_annotators: int) -> None:
    project = create_project(store, "big", Settings(annotators_per_item=num_annotators, gold_share=0))
    import_records(store, project, ((str(one), instruction(one)) for one in range(num_instructions)))
    open_round(store, project)
    dice = np.random.default_rng(0)
    truth = dice.integers(len(CHOICES), size=num_instructions)
    for place in range(num_annotators):
        person = add_person(store, f"Person {place}", Role.ANNOTATOR)
        right = dice.random(num_instructions) < 0.6 + 0.3 * place / num_annotators
        said = np.where(right, truth, dice.integers(len(CHOICES), size=num_instructions))
        for start in range(0, num_instructions, IN_ONE_EVENT):
            block = range(start, min(start + IN_ONE_EVENT, num_instructions))
            add(store, person, place, num_instructions, [(one, int(said[one])) for one in block])


def instruction(place: int) -> dict[str, Any]:
    held: dict[str, Any] = {
        "instruction": f"Question {place}: what follows from paragraph {place % 997} of this text? " + "word " * 30,
        "domain": DOMAINS[place % len(DOMAINS)],
    }
    if place % 2:
        return {**held, "choices": list(CHOICES)}
    return {**held, "outputs": [{"text": f"Number {one}, {'so ' * 50}", "model": "m"} for one in range(2)]}


def add(store: Store, person: int, place: int, num_instructions: int, rows: list[tuple[int, int]]) -> None:
    with store.write() as write:
        common = {"round": 1, "person": person}
        times = {"given_ms": write.now_ms, "renewed_ms": write.now_ms}
        change, assignments = Change("filled in", 1, person), []
        for one, said in rows:
            number = place * num_instructions + one + 1
            shown = {"instruction": one + 1, "shown": []}
            assignments.append({"id": number, "state": "done", "is_gold": False, **common, **times, **shown})
            saved = {"revision": 1, "key": str(number), "answer_hash": "", "took_ms": 20_000, "at_ms": write.now_ms}
            change.add(Submission, id=number, assignment=number, **common, **shown, **saved)
            change.add(Annotation, id=number, submission=number, **judgement(one, said, place))
        write.connection.execute(insert(Assignment), assignments)
        record(write, change)


def judgement(one: int, said: int, place: int) -> dict[str, Any]:
    if one % 2:
        return {"kind": str(Kind.LABEL), "criterion": "", "text": CHOICES[said]}
    # Every second instruction has two outputs, in the order of their coming.
    output = one + 1 + place % 2
    return {"kind": str(Kind.RATING), "criterion": "quality", "value": float(said + 2), "output": output}


if __name__ == "__main__":
    main()
