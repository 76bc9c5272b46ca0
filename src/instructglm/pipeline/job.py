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


def with_model_folders(experiment: Experiment, base: Path) -> Experiment:
    """The experiment with model folders as absolute paths: like data, they start at the experiment file's folder.

    What is no folder there stays as it is: a hub id, or `embedded`.
    """
    model = experiment.model.model_copy(update={"name_or_path": _located(experiment.model.name_or_path, base)})
    models = [
        other
        if isinstance(other, str)
        else other.model_copy(update={"name_or_path": _located(other.name_or_path, base)})
        for other in experiment.evaluation.models
    ]
    evaluation = experiment.evaluation.model_copy(update={"models": models})
    return experiment.model_copy(update={"model": model, "evaluation": evaluation})


def _located(name_or_path: str, base: Path) -> str:
    folder = base / Path(name_or_path).expanduser()
    return str(folder.resolve()) if folder.is_dir() else name_or_path
