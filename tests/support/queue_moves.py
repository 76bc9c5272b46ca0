"""Moves of people in a queue, with what must hold after each."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import select

from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.claim import next_task
from instructglm.annotation.queue.leases import give_back
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.queue.save import Saved, save
from instructglm.annotation.queue.tasks import Task, last_submission
from instructglm.annotation.store import Store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, create_project
from instructglm.annotation.store.tables import Assignment, Item, Role
from instructglm.annotation.store.verify import verify

LEASE_S = 60.0


class Moves:
    """People who take, save, change, skip, give back and fall silent, in any order."""

    NAMES = ("take", "answer", "skip", "give back", "change", "unskip", "late", "wait")

    def __init__(self, store: Store, num_items: int, k: int, num_people: int) -> None:
        self.store = store
        self.now_ms = 1_000_000
        store._clock = lambda: self.now_ms
        self.project = create_project(store, "moves", Settings(annotators_per_item=k, gold_share=0, lease_s=LEASE_S))
        records = [(str(one), {"instruction": f"Question {one}", "choices": ["yes", "no"]}) for one in range(num_items)]
        import_records(store, self.project, records)
        self.people = [add_person(store, f"Person {one}", Role.ANNOTATOR) for one in range(num_people)]
        open_round(store, self.project)
        self.known: dict[int, list[int]] = {person: [] for person in self.people}
        self.num_saved = 0

    def make(self, name: str, who: int) -> None:
        person = self.people[who]
        if name == "wait":
            self.now_ms += round(LEASE_S * 1000)
        elif name == "take":
            task = next_task(self.store, self.project, person)
            if isinstance(task, Task) and task.assignment not in self.known[person]:
                self.known[person].append(task.assignment)
        elif self.known[person]:
            self._move(name, person)

    def _move(self, name: str, person: int) -> None:
        assignment = self.known[person][0 if name in ("late", "unskip") else -1]
        if name == "give back":
            give_back(self.store, person, assignment)
            return
        answer = Answer(skip="") if name == "skip" else Answer(label="no" if name == "change" else "yes")
        with self.store.read() as connection:
            last = last_submission(connection, assignment)
        self.num_saved += 1
        based_on = last.revision if last else 0
        done = save(self.store, person, assignment, answer, key=str(self.num_saved), based_on=based_on)
        with self.store.read() as connection:
            after = last_submission(connection, assignment)
        assert (after.revision if after else 0) == based_on + isinstance(done, Saved)

    def check(self) -> None:
        with self.store.read() as connection:
            items = connection.execute(select(Item.instruction, Item.needed, Item.taken)).all()
            kept = select(Assignment.instruction, Assignment.person, Assignment.state)
            rows = connection.execute(kept.where(Assignment.state != "returned")).all()
        holding = Counter(row.instruction for row in rows if row.state in ("leased", "done"))
        assert [row.taken for row in items] == [holding[row.instruction] for row in items]
        assert all(row.taken <= row.needed for row in items)
        assert max(Counter((row.instruction, row.person) for row in rows).values(), default=1) == 1
        assert verify(self.store).broken is None
