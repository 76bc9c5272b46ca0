"""Interrupted runs, which wait beside a new one: they may be gone on with, so nobody but the user removes them."""

from __future__ import annotations

import shlex
from pathlib import Path

from instructglm.core.workspace import is_busy
from instructglm.pipeline.job import Job
from instructglm.report.numerals import size

_ENDING = ".partial"
_HASH = "[0-9a-f]" * 12


def beside(final: Path) -> Path:
    """Where the run is made that will stand at `final`."""
    return final.with_name(f"{final.name}{_ENDING}")


def tell_of_waiting(job: Job, final: Path) -> None:
    """Say which other runs of this experiment wait, what they take and how to be rid of them.

    Who changes data or settings after an interruption gets another run, and
    should know of the first. Where `final` only goes on, nothing is said.
    """
    if beside(final).exists():
        return
    for other in sorted(final.parent.glob(f"{job.experiment.name}-{_HASH}{_ENDING}")):
        if not is_busy(other.with_name(other.name.removesuffix(_ENDING))):
            job.progress.say(
                f"this is a new run: the data, the model or a setting differ from those of {other.name}, which was "
                f"interrupted {_when(other)}. It takes {size(_num_bytes(other))} and stays until you remove it: "
                f"rm -r {shlex.quote(str(other))}"
            )


def _when(partial: Path) -> str:
    steps = sorted((partial / "checkpoints").glob("step-????????"))
    if not steps:
        return "before its first checkpoint"
    return f"at step {int(steps[-1].name.removeprefix('step-'))}, from where it can go on"


def _num_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
