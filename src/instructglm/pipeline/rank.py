"""One process of a training that several do together: `python -m instructglm.pipeline.rank ASSIGNMENT.json`."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from instructglm.config.experiment import Experiment
from instructglm.core.advice import drop_advice
from instructglm.core.progress import SilentProgress, console_progress
from instructglm.core.workspace import Workspace
from instructglm.models.hardware import choose_device
from instructglm.pipeline.job import Job
from instructglm.training.distributed.failures import reported
from instructglm.training.distributed.fleet import Fleet
from instructglm.training.distributed.launch import launch
from instructglm.training.distributed.process import heed_signals, joined


def train_in_processes(
    fleet: Fleet, job: Job, dataset: Path, folder: Path, digest: str, inputs: dict[str, Any]
) -> None:
    """`train_into`, by all processes of this node at once.

    Raises:
        InstructGLMError: one of them failed; what it was, or its last words.
        KeyboardInterrupt: after a signal and a checkpoint.
    """
    assignment = {
        "launcher": os.getpid(),
        "fleet": asdict(fleet),
        "experiment": job.experiment.model_dump(mode="json"),
        "base": str(job.base),
        "out": str(job.workspace.out),
        "command": job.command,
        "making": {"dataset": str(dataset), "folder": str(folder), "digest": digest, "inputs": inputs},
    }
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "assignment.json"
        file.write_text(json.dumps(assignment), encoding="utf-8")
        launch(fleet, ["-m", __name__, str(file)], run_id=digest)


def main() -> None:
    """Do this process's share; only the first speaks.

    A signal before there is anything to tidy up ends it at once: see `launch`.
    """
    drop_advice()
    from instructglm.pipeline.training_run import train_into  # imports what gives advice

    with reported():
        assignment = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
        heed_signals(assignment["launcher"])
        fleet, experiment = Fleet(**assignment["fleet"]), Experiment.model_validate(assignment["experiment"])
        with joined(fleet, choose_device(experiment.model.device)) as ranks:
            progress = console_progress() if ranks.is_first else SilentProgress()
            base, workspace = Path(assignment["base"]), Workspace(Path(assignment["out"]))
            making = assignment["making"]
            train_into(
                Job(experiment, base, workspace, progress, assignment["command"]),
                Path(making["dataset"]),
                Path(making["folder"]),
                making["digest"],
                making["inputs"],
                ranks,
            )


if __name__ == "__main__":
    main()
