"""What every stage of one command is given."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from instructglm.config.data import Source
from instructglm.config.experiment import Experiment
from instructglm.core.progress import Progress
from instructglm.core.workspace import Workspace
from instructglm.data.packages import is_package_uri


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


def with_data_files(experiment: Experiment, base: Path) -> Experiment:
    """The experiment with data paths as absolute ones, so that its file can be run from anywhere."""
    sources = [source.model_copy(update=_absolute_paths(source, base)) for source in experiment.data.sources]
    return experiment.model_copy(update={"data": experiment.data.model_copy(update={"sources": sources})})


def _absolute_paths(source: Source, base: Path) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = {}
    for name in ("path", "texts"):
        written = getattr(source, name, None)
        if isinstance(written, str):
            found[name] = _absolute(written, base)
        elif written is not None:
            found[name] = [_absolute(path, base) for path in written]
    return found


def _absolute(path: str, base: Path) -> str:
    return path if is_package_uri(path) else str(base / Path(path).expanduser())
