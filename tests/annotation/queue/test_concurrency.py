"""Many at once: k is exact, nothing is lost or doubled, and what was acknowledged survives kill -9."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from annotation_team import items
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.claim import next_task
from instructglm.annotation.queue.leases import give_back
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.queue.save import Saved, save
from instructglm.annotation.queue.tasks import Task
from instructglm.annotation.store import Store, open_store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, create_project
from instructglm.annotation.store.tables import Assignment, Item, Role, Submission
from instructglm.annotation.store.verify import verify

WORKER = Path(__file__).parents[2] / "support" / "annotation_worker.py"


def make_project(store: Store, num_items: int, num_people: int, k: int, **options) -> tuple[int, list[int]]:
    project = create_project(store, "crowd", Settings(annotators_per_item=k, gold_share=0, **options))
    import_records(store, project, items(num_items))
    people = [add_person(store, f"Person {one}", Role.ANNOTATOR) for one in range(num_people)]
    open_round(store, project)
    return project, people


def work(store: Store, project: int, person: int, dice: random.Random) -> None:
    """Take and answer until there is nothing left; now and then send a save twice, or give an item back."""
    while True:
        task = next_task(store, project, person)
        if isinstance(task, Task):
            if dice.random() < 0.1:
                give_back(store, person, task.assignment)
                continue
            for _ in range(1 + (dice.random() < 0.2)):
                done = save(store, person, task.assignment, Answer(label="yes"), key=f"{person}-{task.assignment}")
                assert isinstance(done, Saved)
        elif task.reason == "everything is done":
            return


def check_exact(store: Store, k: int) -> None:
    """Every item has its k annotators, all different, each with one answer; and the log holds."""
    with store.read() as connection:
        items = connection.execute(select(Item.needed, Item.taken)).all()
        done = connection.execute(select(Submission.instruction, Submission.person)).all()
        leased = connection.scalar(select(func.count()).where(Assignment.state == "leased"))
    assert {tuple(item) for item in items} == {(k, k)}
    assert len(set(done)) == len(done) == k * len(items)
    assert set(Counter(row.instruction for row in done).values()) == {k}
    assert leased == 0
    assert verify(store).broken is None


@pytest.mark.slow
def test_eight_annotators_500_items_k_3(place: str) -> None:
    with open_store(place, create=True) as store:
        project, people = make_project(store, 500, 8, 3)
        with ThreadPoolExecutor(len(people)) as pool:
            for done in [pool.submit(work, store, project, person, random.Random(person)) for person in people]:
                done.result()
        check_exact(store, 3)
        with store.read() as connection:
            shares = connection.scalars(select(func.count(Submission.id)).group_by(Submission.person)).all()
        assert sum(shares) == 1500
        assert len(shares) == 8


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(num_items=st.integers(1, 12), num_people=st.integers(2, 6), spare=st.integers(0, 4), seed=st.integers())
def test_k_is_exact_whatever_the_numbers(
    tmp_path_factory, empty_postgres, num_items: int, num_people: int, spare: int, seed: int
) -> None:
    k = max(1, num_people - spare)
    for place in (str(tmp_path_factory.mktemp("crowd") / "annotations.db"), empty_postgres()):
        with open_store(place, create=True) as store:
            project, people = make_project(store, num_items, num_people, k)
            threads = [
                threading.Thread(target=work, args=(store, project, person, random.Random(seed + person)))
                for person in people
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            check_exact(store, k)


def test_threads_that_save_one_thing_at_once_store_it_once(place: str) -> None:
    with open_store(place, create=True) as store:
        project, (person,) = make_project(store, 1, 1, 1)
        task = next_task(store, project, person)
        with ThreadPoolExecutor(8) as pool:
            done = list(
                pool.map(lambda _: save(store, person, task.assignment, Answer(label="yes"), key="one"), range(16))
            )
        assert Counter(one.repeated for one in done) == {False: 1, True: 15}
        assert {one.submission for one in done} == {1}
        check_exact(store, 1)


def start(place: str, project: int, person: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(WORKER), place, str(project), str(person)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_processes_of_their_own_share_one_store(place: str) -> None:
    with open_store(place, create=True) as store:
        project, people = make_project(store, 30, 3, 2)
        workers = [start(place, project, person) for person in people]
        acknowledged = [
            json.loads(line) for worker in workers for line in worker.communicate(timeout=100)[0].splitlines()
        ]
        assert [worker.returncode for worker in workers] == [0, 0, 0]
        assert len({one["submission"] for one in acknowledged}) == len(acknowledged) == 60
        check_exact(store, 2)


@pytest.mark.slow
def test_what_was_acknowledged_survives_kill_9(place: str) -> None:
    """Workers are killed at random moments and started again until all is done: nothing acknowledged is missing."""
    dice = random.Random(17)
    with open_store(place, create=True) as store:
        project, people = make_project(store, 150, 2, 2, lease_s=0.5)
        acknowledged: list[dict] = []
        num_killed = 0
        while not _finished(store):
            workers = [start(place, project, person) for person in people]
            for worker in workers if num_killed < 10 else ():
                told = [worker.stdout.readline() for _ in range(dice.randint(1, 5))]
                acknowledged += [json.loads(line) for line in told if line]
                time.sleep(dice.uniform(0, 0.01))
                num_killed += worker.poll() is None
                worker.send_signal(signal.SIGKILL)
            for worker in workers:
                rest = worker.communicate(timeout=100)[0]
                acknowledged += [json.loads(line) for line in rest.splitlines() if line.endswith("}")]
        assert num_killed >= 6
        with store.read() as connection:
            stored = connection.execute(select(Submission.id, Submission.person, Submission.key)).all()
        kept = {row.id: (row.person, row.key) for row in stored}
        assert all(kept[one["submission"]] == (one["person"], one["key"]) for one in acknowledged)
        assert len({(row.person, row.key) for row in stored}) == len(stored)
        check_exact(store, 2)


def _finished(store: Store) -> bool:
    with store.read() as connection:
        return connection.scalar(select(func.count()).where(Assignment.state == "done")) == 300
