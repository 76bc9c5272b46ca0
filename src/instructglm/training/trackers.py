"""Telling TensorBoard, W&B, MLflow and SwanLab what `metrics.jsonl` is told, through accelerate's trackers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    """Those of one run; without any, nothing is done.

    One that fails is told no more, which is said: a run does not end because a
    server does not answer, and `metrics.jsonl` has everything.
    """

    def __init__(self, trackers: Sequence[Any] = (), say: Callable[[str], None] = lambda text: None) -> None:
        self._trackers = list(trackers)
        self._say = say

    def log(self, step: int, values: dict[str, float]) -> None:
        """The values of a step, under their names in `metrics.jsonl`."""
        for tracker in list(self._trackers):
            with self._dropped_on_failure(tracker, f"at step {step}"):
                tracker.log(values, step=step)

    def finish(self) -> None:
        """Nothing more will come."""
        for tracker in list(self._trackers):
            with self._dropped_on_failure(tracker, "at the end"):
                tracker.finish()

    @contextmanager
    def _dropped_on_failure(self, tracker: Any, moment: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever its library may raise
            self._trackers.remove(tracker)
            self._say(f"{tracker.name} failed {moment} and is told no more; training goes on: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _known(folder: Path, resume_at: int) -> dict[str, _Tracker]:
    """Name -> how to start it.

    The run is named as its folder, so that a resumed one is the same run; MLflow, whose runs have ids of its own
    making, begins another of the same name.
    """
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
def open_trackers(
    names: Sequence[str], folder: Path, resume_at: int, say: Callable[[str], None] = lambda text: None
) -> Iterator[Trackers]:
    """The trackers of the run in `folder`, which goes on after `resume_at` steps; they are ended with the block.

    `say` is told of one that fails later.

    Raises:
        RunError: a library is missing, or refuses to start.
    """
    require_trackers(names)
    known = _known(folder, resume_at)
    trackers = Trackers([_start(name, known[name]) for name in dict.fromkeys(names)], say)
    try:
        yield trackers
    finally:
        trackers.finish()


def _start(name: str, known: _Tracker) -> Any:
    project = "tensorboard" if name == "tensorboard" else "instructglm"  # TensorBoard's is a folder in the run's
    try:
        tracker = LOGGER_TYPE_TO_CLASS[name](project, **known.options)
        if hasattr(tracker, "start"):
            tracker.start()
    except Exception as error:  # a library of its own, that may be offline, logged out, or of another version
        raise RunError(
            f"{name} did not start: {_first_line(error)}", hint=f"Mend that, or take {name} out of training.report_to."
        ) from error
    return tracker
