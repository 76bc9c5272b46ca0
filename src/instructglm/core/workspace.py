"""Where an experiment's artifacts lie under its output folder.

    OUT/
      datasets/<name>-<hash>/     train, validation, test, ledger, manifest, card
      runs/<name>-<hash>/         experiment.yaml, run.json, metrics.jsonl, adapter/ or model/
      runs/<...>/evaluation/test-<hash>/   predictions per model, scores.json
      comparisons/<a>--<b>.json
      report/                     index.html, report.json
      latest.json                 which of them belong together

A folder's name ends in a hash of what made it. It is filled beside its place
and renamed when whole, so what stands there is finished.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from instructglm.core.errors import RunError, StorageError
from instructglm.core.files import storage_errors, write_text
from instructglm.core.records import Record, read_record


class Latest(Record):
    """The artifacts of the last command, relative to the output folder."""

    dataset: str | None = None
    run: str | None = None
    evaluation: str | None = None


@dataclass(frozen=True)
class Workspace:
    """Paths under one output folder."""

    out: Path

    def dataset(self, name: str, digest: str) -> Path:
        return self.out / "datasets" / f"{name}-{digest}"

    def run(self, name: str, digest: str) -> Path:
        return self.out / "runs" / f"{name}-{digest}"

    @property
    def comparisons(self) -> Path:
        return self.out / "comparisons"

    @property
    def report(self) -> Path:
        return self.out / "report"

    def read_latest(self) -> Latest:
        """What the last command made here.

        Raises:
            StorageError: nothing stands here, or `latest.json` is damaged.
        """
        path = self.out / "latest.json"
        if not path.exists():
            raise StorageError(
                f"{self.out}: no finished run here", hint="Give the --out folder of an `instructglm run`."
            )
        return read_record(path, Latest, hint="The command that made it writes it anew: run it once more.")

    def note(self, kind: Literal["dataset", "run", "evaluation"], folder: Path) -> None:
        """Remember the newest folder of a kind; what was made from an older one is no longer the latest."""
        try:
            latest = self.read_latest()
        except StorageError:
            latest = Latest()
        name = str(folder.relative_to(self.out))
        if getattr(latest, kind) == name:
            return
        kinds = tuple(Latest.model_fields)
        earlier = {one: getattr(latest, one) for one in kinds[: kinds.index(kind)]}
        write_text(self.out / "latest.json", Latest(**earlier, **{kind: name}).model_dump_json(indent=2) + "\n")


def is_busy(folder: Path) -> bool:
    """Whether a process is making this folder at this moment."""
    try:
        with _lock_of(folder).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Keep a second process from making the same folder; the lock lies beside it and ends with the process.

    Who gets it looks once more whether the folder stands: another may just have finished.

    Raises:
        RunError: another process is at work there.
    """
    with storage_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = _lock_of(folder).open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(
                f"{folder}: another process is at work here", hint="Wait for it, or choose another folder with --out."
            ) from error
        yield
