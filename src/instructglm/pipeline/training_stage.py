"""dataset -> run: where it lies, what decides it, and whether it is there already."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from instructglm.config.training import NOT_THE_OUTCOME, ROUNDING
from instructglm.core.files import remove, replace_folder
from instructglm.core.ids import content_hash
from instructglm.core.workspace import exclusive
from instructglm.data.dataset import read_manifest
from instructglm.models.hardware import choose_attention, choose_device, choose_dtype, num_devices
from instructglm.models.loading import model_fingerprint
from instructglm.pipeline.job import Job
from instructglm.pipeline.processes import train_in_processes
from instructglm.pipeline.run_manifest import has_manifest
from instructglm.pipeline.training_run import train_into
from instructglm.pipeline.waiting import beside, tell_of_waiting
from instructglm.training.distributed.fleet import Fleet, fleet_of

_VERSION = 5  # of what the same settings lead to; raise it when training changes


def train_run(job: Job, dataset: Path) -> Path:
    """The run folder of this experiment on this dataset.

    An unfinished run goes on from its last checkpoint.
    """
    fleet = _fleet(job)
    inputs = _inputs(job, dataset, fleet)
    final = job.workspace.run(job.experiment.name, content_hash(inputs))
    if final.exists():
        job.skip(final)
    else:
        with exclusive(final), job.timed("train"):
            if not final.exists():
                _make(job, dataset, final, inputs, fleet)
    job.workspace.note("run", final)
    return final


def help_train_run(job: Job, dataset: Path) -> None:
    """What a node that is not the first does of `train_run`: its share of the steps."""
    fleet = _fleet(job)
    inputs = _inputs(job, dataset, fleet)
    final = job.workspace.run(job.experiment.name, content_hash(inputs))
    if final.exists() or has_manifest(beside(final)):
        job.skip(final)
    else:
        job.progress.say(f"node {fleet.node_rank} of {fleet.nodes} trains with the others; node 0 tells how far it is")
        _train(job, dataset, beside(final), content_hash(inputs), inputs, fleet)


def _fleet(job: Job) -> Fleet:
    device, settings = choose_device(job.experiment.model.device), job.experiment.training.distributed
    fleet = fleet_of(settings, device.type, num_devices(device))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if device.type == "cpu" and fleet.processes > cores:
        job.progress.say(
            f"training.distributed: {fleet.processes} processes on {cores} cores mostly wait for each other"
        )
    if settings and fleet.world_size == 1:
        job.progress.say(f"training.distributed: one process, for processes is {settings.processes} ({device.type})")
    return fleet


def _make(job: Job, dataset: Path, final: Path, inputs: dict[str, Any], fleet: Fleet) -> None:
    """Train beside `final`. The manifest is written last: where it stands, only the renaming is left to do."""
    partial = beside(final)
    tell_of_waiting(job, final)
    if not has_manifest(partial):
        _train(job, dataset, partial, content_hash(inputs), inputs, fleet)
    remove(partial / "checkpoints")  # a finished run never goes on
    replace_folder(partial, final)


def _train(job: Job, dataset: Path, folder: Path, digest: str, inputs: dict[str, Any], fleet: Fleet) -> None:
    if fleet.world_size == 1:
        train_into(job, dataset, folder, digest, inputs)
        return
    train_in_processes(fleet, job, dataset, folder, digest, inputs)


def _inputs(job: Job, dataset: Path, fleet: Fleet) -> dict[str, Any]:
    """Everything that decides the outcome of training.

    How the processes lie on nodes does not: a run may move.
    """
    experiment = job.experiment
    device = choose_device(experiment.model.device)
    quantized = experiment.model.quantization_config
    return {
        "version": _VERSION,
        "dataset": read_manifest(dataset).hash,
        "model": model_fingerprint(experiment.model.name_or_path),
        "device": device.type,
        "num_processes": fleet.world_size,
        "strategy": fleet.strategy if fleet.world_size > 1 else None,
        "attn_implementation": experiment.model.attn_implementation,
        "attention": choose_attention(experiment.model.attn_implementation, device, experiment.data.max_length),
        "dtype": str(choose_dtype(experiment.model.dtype, device)),
        "quantization_config": quantized.model_dump(mode="json") if quantized else None,
        "seed": experiment.seed,
        "max_length": experiment.data.max_length,
        "overlong": experiment.data.overlong,
        "tuning": experiment.tuning.model_dump(mode="json"),
        "training": experiment.training.model_dump(mode="json", exclude={*NOT_THE_OUTCOME, *ROUNDING}),
    }
