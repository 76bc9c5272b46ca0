"""Starting the processes of a training that several do together."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from instructglm.pipeline.job import Job
from instructglm.training.checkpoint import intact
from instructglm.training.distributed.fleet import Fleet
from instructglm.training.distributed.launch import launch

_RANK = "instructglm.pipeline.rank"


def train_in_processes(
    fleet: Fleet, job: Job, dataset: Path, folder: Path, digest: str, inputs: dict[str, Any]
) -> None:
    """`train_into`, by all processes of this node at once.

    Raises:
        InstructGLMError: one of them failed; what it was, or its last words.
        KeyboardInterrupt: after a signal and a checkpoint.
    """
    assignment = {
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
        kept = partial(intact, folder / "checkpoints")
        launch(fleet, ["-m", _RANK, str(file), str(os.getpid())], run_id=digest, kept=kept)
