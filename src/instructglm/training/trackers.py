"""Telling TensorBoard, W&B, MLflow and SwanLab what `metrics.jsonl` is told, through accelerate's trackers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from accelerate.tracking import LOGGER_TYPE_TO_CLASS

from instructglm.core.errors import RunError


class _Tracker(NamedTuple):
    """What one of accelerate's trackers needs to begin, and to go on, a run."""

    modules: tuple[str, ...]
    """One of them has to be installed; the first is what to install."""
    options: dict[str, Any]


class Trackers:
    """Those of one run; without any, nothing is done."""

    def __init__(self, trackers: Sequence[Any] = ()) -> None:
        self._trackers = trackers

    def log(self, step: int, values: dict[str, float]) -> None:
        """The values of a step, under their names in `metrics.jsonl`."""
        for tracker in self._trackers:
            tracker.log(values, step=step)


def _known(folder: Path, resume_at: int) -> dict[str, _Tracker]:
    """Name -> how to start it. The run is named as its folder, so that a resumed one is the same run."""
    name = folder.name.removesuffix(".partial")
    same_run = {"id": name, "resume": "allow"}
    # TensorBoard hides what it has of the steps from `purge_step` on: they were made again.
    purge = {"purge_step": resume_at + 1} if resume_at else {}
    return {
        "tensorboard": _Tracker(("tensorboard", "tensorboardX"), {"logging_dir": folder, **purge}),
        "wandb": _Tracker(("wandb",), {"name": name, "dir": str(folder), **same_run}),
        "mlflow": _Tracker(("mlflow",), {"run_name": name}),
        "swanlab": _Tracker(("swanlab",), {"experiment_name": name, "logdir": str(folder / "swanlab"), **same_run}),
    }


def require_trackers(names: Sequence[str]) -> None:
    """Find out before a model is loaded that a tracker is missing.

    Raises:
        RunError: its library is not installed.
    """
    known = _known(Path(), 0)
    missing = [known[name].modules[0] for name in names if not any(map(find_spec, known[name].modules))]
    if missing:
        raise RunError(
            *(f"training.report_to names {name}, which is not installed" for name in missing),
            hint=f"Run: pip install {' '.join(missing)}; or take it out of training.report_to.",
        )


@contextmanager
def open_trackers(names: Sequence[str], folder: Path, resume_at: int) -> Iterator[Trackers]:
    """The trackers of the run in `folder`, which goes on after `resume_at` steps; they are ended with the block.

    Raises:
        RunError: a library is missing, or refuses to start.
    """
    require_trackers(names)
    known = _known(folder, resume_at)
    started = [_start(name, known[name]) for name in dict.fromkeys(names)]
    try:
        yield Trackers(started)
    finally:
        for tracker in started:
            tracker.finish()


def _start(name: str, known: _Tracker) -> Any:
    project = "tensorboard" if name == "tensorboard" else "instructglm"  # TensorBoard's is a folder in the run's
    try:
        tracker = LOGGER_TYPE_TO_CLASS[name](project, **known.options)
        if hasattr(tracker, "start"):
            tracker.start()
    except Exception as error:  # a library of its own, that may be offline, logged out, or of another version
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise RunError(
            f"{name} did not start: {first}", hint=f"Mend that, or take {name} out of training.report_to."
        ) from error
    return tracker
