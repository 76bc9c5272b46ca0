"""What a finished run says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from instructglm.core.errors import StorageError
from instructglm.core.files import write_text
from instructglm.core.records import Record
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
    path = folder / _FILE
    try:
        return RunManifest.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise StorageError(f"{path}: damaged or missing: {error}", hint="Remove the folder and train again.") from error


def write_run(folder: Path, manifest: RunManifest) -> None:
    """Write what `read_run` reads."""
    write_text(folder / _FILE, manifest.model_dump_json(indent=2) + "\n")
