"""What every stage of one command is given."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from instructglm.config.experiment import Experiment
from instructglm.core.progress import Progress
from instructglm.core.workspace import Workspace


@dataclass(frozen=True)
class Job:
    """An experiment, where its files are, where its artifacts go, and where to report."""

    experiment: Experiment
    base: Path
    workspace: Workspace
    progress: Progress
    command: str
    seconds: dict[str, float] = field(default_factory=dict)
    """Stage -> wall time; a skipped stage is not in it."""

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Note how long a stage took."""
        started = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - started, 1)

    def skip(self, folder: Path) -> None:
        """Say that a finished folder is used as it is."""
        self.progress.say(f"{folder.relative_to(self.workspace.out)} is up to date: skipped")
