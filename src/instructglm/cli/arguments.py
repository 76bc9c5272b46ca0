"""The arguments that several commands share, and the job they describe."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from instructglm.config.experiment import Experiment
    from instructglm.core.progress import Progress

ExperimentFile = Annotated[
    Path, typer.Argument(metavar="EXPERIMENT.yaml", show_default=False, help="The experiment file.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", show_default=False, help="Changes to it: training.learning_rate=1e-4"),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        show_default=False,
        help="Where results go. Default: runs/NAME, by the experiment's name.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Job(NamedTuple):
    """A checked experiment with where it reads (`base`) and writes (`out`): the arguments of every stage."""

    experiment: Experiment
    base: Path
    out: Path
    progress: Progress
    command: str


def open_job(file: Path, overrides: list[str] | None, out: Path | None) -> Job:
    """Check at the door all that can be checked before anything heavy is loaded.

    Raises:
        ConfigError: the file or an override is wrong.
        StorageError: results cannot be written to `out`.
    """
    from instructglm.config.loading import load_experiment
    from instructglm.core.files import ensure_writable
    from instructglm.core.progress import console_progress

    experiment = load_experiment(file, overrides or ())
    out = out or Path("runs") / experiment.name
    ensure_writable(out)
    command = shlex.join(["instructglm", *sys.argv[1:]])
    return Job(experiment, file.resolve().parent, out, console_progress(), command)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2))
