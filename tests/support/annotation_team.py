"""A project with items and people, for tests of its queue."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from instructglm.annotation.queue.answers import Answer, OutputRating
from instructglm.annotation.queue.claim import next_task
from instructglm.annotation.queue.save import save
from instructglm.annotation.queue.tasks import Task
from instructglm.annotation.store import Store


@dataclass
class Team:
    """A project with items and people, and the moves that tests make with them."""

    store: Store
    project: int
    people: list[int]
    saves: int = field(default=0)

    def take(self, person: int) -> Task:
        task = next_task(self.store, self.project, person)
        assert isinstance(task, Task), task
        return task

    def idle(self, person: int) -> str:
        idle = next_task(self.store, self.project, person)
        assert not isinstance(idle, Task)
        return idle.reason

    def say(self, person: int, task: Task, answer: Answer, **options: Any) -> Any:
        self.saves += 1
        given = {"key": f"key {self.saves}", "based_on": task.revision, **options}
        return save(self.store, person, task.assignment, answer, **given)


def rate(task: Task, value: float) -> Answer:
    """All outputs of a task rated alike."""
    return Answer(ratings=tuple(OutputRating(output=o.id, criterion="quality", value=value) for o in task.outputs))


def items(number: int, *, domains: tuple[str, ...] = ("law",), outputs: int = 2) -> list[tuple[str, Any]]:
    return [
        (
            f"raw.jsonl:{place + 1}",
            {
                "instruction": f"Question {place}",
                "outputs": [f"Answer {place}.{one}" for one in range(outputs)],
                "domain": domains[place % len(domains)],
                "choices": ["yes", "no"],
            },
        )
        for place in range(number)
    ]
