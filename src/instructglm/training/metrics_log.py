"""`metrics.jsonl`: one line per logged step or check, the unit in every name."""

from __future__ import annotations

import json
from pathlib import Path

from instructglm.core.files import storage_errors, write_text
from instructglm.training.trackers import Trackers


class MetricsLog:
    """Appends lines; after a crash it is cut back to the step from which training goes on.

    Trackers are told the same, when they are there; what they have cannot be cut.
    """

    def __init__(self, path: Path, resume_at: int = 0) -> None:
        self._path = path
        self.trackers = Trackers()
        kept = [line for line in read_metrics(path) if line["step"] <= resume_at] if resume_at else []
        write_text(path, "".join(f"{json.dumps(line)}\n" for line in kept))

    def write(self, step: int, **values: float) -> None:
        """Add one line."""
        with storage_errors(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        self.trackers.log(step, values)


class SilentLog:
    """Writes nothing: the log of every process but the first."""

    trackers = Trackers()

    def write(self, step: int, **values: float) -> None:
        """Nothing is written."""


def read_metrics(path: Path) -> list[dict[str, float]]:
    """All whole lines; a last line that a crash left half-written is passed over."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]
