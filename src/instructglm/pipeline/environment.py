"""Where and how the figures of a report came about."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from instructglm.config.loading import to_yaml
from instructglm.pipeline.job import Job
from instructglm.report.contents import Environment

_PACKAGES = (
    "instructglm", "torch", "transformers", "peft", "bitsandbytes", "accelerate", "tokenizers", "safetensors", "numpy",
    "scipy", "scikit-learn", "sacrebleu", "rouge-score", "pyarrow", "pydantic",
)  # fmt: skip


def describe_environment(job: Job) -> Environment:
    """Device, versions, seed, the resolved experiment and the command that makes the figures again."""
    import torch

    from instructglm.models.hardware import choose_device, choose_dtype, describe_device

    model = job.experiment.model
    device = choose_device(model.device)
    return Environment(
        command=job.command,
        seed=job.experiment.seed,
        device=describe_device(device),
        dtype=str(choose_dtype(model.dtype, device)).removeprefix("torch."),
        num_threads=torch.get_num_threads(),
        packages=package_versions(),
        python=platform.python_version(),
        platform=platform.platform(),
        git_revision=_git_revision(job.base),
        model=model.name_or_path,
        experiment=to_yaml(job.experiment),
        stage_seconds=job.seconds,
    )


def package_versions() -> dict[str, str]:
    """Package -> installed version, for those that decide figures."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _git_revision(folder: Path) -> str | None:
    """The revision of the folder that the experiment file lies in; None outside a repository."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
