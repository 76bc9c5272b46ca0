"""`init`: a project to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_FILES = {"experiment.yaml": "experiment.yaml", "train.jsonl": "data/train.jsonl"}
"""Template -> where it goes in the new project."""


def init(
    folder: Annotated[Path, typer.Argument(help="Where to write; made if missing.")] = Path("."),
    force: Annotated[bool, typer.Option("--force", help="Replace files that already stand there.")] = False,
) -> None:
    """Write a first experiment and data to start from.

    Both files can be run as they are; comments in the experiment file say what else there is.

    Example: instructglm init my-project
    """
    from instructglm.core.files import write_text

    targets = {name: folder / place for name, place in _FILES.items()}
    _refuse_to_overwrite([] if force else [path for path in targets.values() if path.exists()])
    for name, path in targets.items():
        write_text(path, _template(name))
        print(f"wrote {path}")
    print(f"\nNext: instructglm run {targets['experiment.yaml']}")


def _refuse_to_overwrite(there: list[Path]) -> None:
    from instructglm.core.errors import StorageError

    if there:
        faults = [f"{path}: already there" for path in there]
        raise StorageError(*faults, hint="Choose another folder, or replace them with --force.")


def _template(name: str) -> str:
    from importlib.resources import files

    return files("instructglm.cli").joinpath("templates", name).read_text(encoding="utf-8")
