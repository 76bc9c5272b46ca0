"""Projects with people and answers, frozen and read back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from annotation_team import Team

from instructglm.annotation.queue.adjudicate import Decided, Verdict, decide, open_case
from instructglm.annotation.queue.answers import Answer, OutputRank, OutputRating, Rejection
from instructglm.annotation.queue.claim import next_task
from instructglm.annotation.queue.save import Saved
from instructglm.annotation.queue.tasks import Task
from instructglm.annotation.snapshot.freeze import freeze
from instructglm.annotation.snapshot.options import Options
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.reading import outputs
from instructglm.annotation.store.tables import Role

Say = Callable[[Task], Answer | None]


class Annotated(Team):
    """A team whose people walk their queues; what was frozen is read back."""

    def walk(self, person: int, say: Say) -> None:
        """Answer every item that comes, by its task; None skips it."""
        while isinstance(task := self.next(person), Task):
            answer = say(task)
            assert isinstance(self.say(person, task, answer or Answer(skip="")), Saved)

    def next(self, person: int) -> Any:
        return next_task(self.store, self.project, person)

    def outputs_of(self, instruction: int) -> dict[str, int]:
        """Text -> id."""
        return {one.text: one.id for one in outputs(self.store, self.project) if one.instruction == instruction}

    def judge(self, instruction: int, **verdict: Any) -> None:
        """A reviewer's verdict."""
        reviewer = add_person(self.store, f"Reviewer {self.saves}", Role.REVIEWER)
        self.saves += 1
        case = open_case(self.store, reviewer, instruction)
        done = decide(self.store, reviewer, case, Verdict(reason="so", **verdict), key=f"verdict {self.saves}")
        assert isinstance(done, Decided)

    def freeze(self, out: Path, *, as_of: int | None = None, **options: Any) -> Frozen:
        return Frozen(freeze(self.store, self.project, Options(**options), out=out, as_of=as_of))


class Frozen:
    """The rows of a snapshot."""

    def __init__(self, snapshot: Any) -> None:
        self.snapshot, self.folder, self.manifest = snapshot, snapshot.folder, snapshot.manifest
        self.examples, self.preferences, self.ledger = (
            _rows(self.folder / f"{name}.jsonl") for name in ("examples", "preferences", "ledger")
        )

    def outputs(self, instruction: int) -> dict[str, float] | None:
        """Text -> weight of an instruction's accepted outputs; None where it is out."""
        for example in self.examples:
            if example["row"].endswith(f":{instruction}"):
                return {one["text"]: one["weight"] for one in example["outputs"]}
        return None

    def why_not(self, instruction: int, output: int | None = None) -> str | None:
        """The reason in the ledger."""
        found = [one for one in self.ledger if (one["instruction"], one["output"]) == (instruction, output)]
        assert len(found) <= 1
        return found[0]["reason"] if found else None


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line] if path.exists() else []


def rate(task: Task, values: dict[str, float], criterion: str = "quality") -> Answer:
    """Ratings of outputs by their texts."""
    ids = {one.text: one.id for one in task.outputs}
    ratings = (OutputRating(output=ids[text], criterion=criterion, value=value) for text, value in values.items())
    return Answer(ratings=tuple(ratings))


def rank(task: Task, ranks: dict[str, int]) -> Answer:
    """Ranks of outputs by their texts."""
    ids = {one.text: one.id for one in task.outputs}
    return Answer(ranks=tuple(OutputRank(output=ids[text], rank=place) for text, place in ranks.items()))


def reject(task: Task, *texts: str) -> Answer:
    """Rejects outputs; without a text, the instruction."""
    ids = {one.text: one.id for one in task.outputs}
    of = [Rejection(reason="no", output=ids[text]) for text in texts] or [Rejection(reason="no")]
    return Answer(rejected=tuple(of))
