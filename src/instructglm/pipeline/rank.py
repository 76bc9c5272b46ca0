"""One process of a training that several do together: `python -m instructglm.pipeline.rank ASSIGNMENT.json LAUNCHER`.

Importing what trains takes seconds, in which there is nothing to tidy up: a
signal ends the process at once, and so does the end of its launcher.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from instructglm.config.experiment import Experiment
from instructglm.core.advice import drop_advice
from instructglm.core.progress import SilentProgress, console_progress
from instructglm.core.workspace import Workspace
from instructglm.pipeline.job import Job
from instructglm.training.distributed.fleet import Fleet
from instructglm.training.distributed.parent import end_with


def main() -> None:
    """Do this process's share; only the first speaks."""
    file, launcher = sys.argv[1:]
    end_with(int(launcher))
    drop_advice()
    from instructglm.models.hardware import choose_device  # these take seconds, and give advice
    from instructglm.pipeline.training_run import train_into
    from instructglm.training.distributed.failures import reported
    from instructglm.training.distributed.process import heed_signals, joined

    with reported():
        heed_signals()
        assignment = json.loads(Path(file).read_text(encoding="utf-8"))
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
