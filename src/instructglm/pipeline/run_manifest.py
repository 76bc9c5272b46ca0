"""What a finished run says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from instructglm.core.files import write_text
from instructglm.core.records import Record, read_record
from instructglm.report.contents import TrainingCard

_FILE = "run.json"


class RunManifest(Record):
    """What made a run, and what training did."""

    hash: str
    dataset: str
    inputs: dict[str, Any]
    training: TrainingCard


def read_run(folder: Path) -> RunManifest:
    """The manifest of a finished run.

    Raises:
        StorageError: it is missing or damaged.
    """
    return read_record(folder / _FILE, RunManifest, hint=f"Remove the folder {folder} and run again to train anew.")


def has_manifest(folder: Path) -> bool:
    """Whether training here came to its end."""
    return (folder / _FILE).exists()


def write_run(folder: Path, manifest: RunManifest) -> None:
    """Write what `read_run` reads."""
    write_text(folder / _FILE, manifest.model_dump_json(indent=2) + "\n")
