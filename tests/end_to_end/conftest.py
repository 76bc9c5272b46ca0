"""The real command line in processes of its own, on a tiny model."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

EXPERIMENT = """\
name: mood
model: {{name_or_path: {model}, dtype: float32}}
data:
  sources: [{{path: rows.jsonl, format: alpaca, task: mood}}]
  split: {{validation: 0.15, test: 0.2}}
  max_length: 64
tuning: {{method: lora, dropout: 0.1}}
training: {{max_steps: 60, num_train_epochs: 100, batch_size: 4, micro_batch_size: 2, early_stopping: null}}
evaluation: {{max_new_tokens_closed: 4, num_resamples: 200}}
"""
COMMAND = [sys.executable, "-m", "instructglm.cli.main"]
Done = subprocess.CompletedProcess


class Project:
    """A folder with sixty rows of a closed task and an experiment; commands run on it as a user types them."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.out = folder, folder / "out"
        self.experiment, self.data = folder / "experiment.yaml", folder / "rows.jsonl"
        folder.mkdir(parents=True)
        self.write_rows(["good", "bad"])
        self.experiment.write_text(EXPERIMENT.format(model=model), encoding="utf-8")

    def write_rows(self, labels: Sequence[str], number: int = 60) -> None:
        rows = [{"instruction": f"How is {i}?", "output": labels[i % len(labels)]} for i in range(number)]
        self.data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def run(self, *command: object, **options: Any) -> Done[str]:
        """A command to its end."""
        words = [*COMMAND, *map(str, self._complete(command))]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120, **options)

    def start(self, *command: object) -> subprocess.Popen[str]:
        """A command begun; Ctrl-C reaches it even where the tests run in the background of a shell."""
        heed = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
        words = [*COMMAND, *map(str, self._complete(command))]
        return subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, preexec_fn=heed)

    def _complete(self, command: Sequence[object]) -> list[object]:
        verbs = 2 if command[0] == "data" else 1
        return [*command[:verbs], self.experiment, "--out", self.out, *command[verbs:]]

    def half_written(self) -> list[Path]:
        """What a writer left unfinished."""
        return sorted(self.out.rglob("*.tmp"))


@pytest.fixture
def project(tmp_path: Path, tiny_model: Path) -> Callable[..., Project]:
    """Makes projects, each in a folder of its own."""
    return lambda name="project": Project(tmp_path / name, tiny_model)


@pytest.fixture(scope="session")
def refused() -> Callable[..., None]:
    """Says that a command ended as a user's mistake does: exit code 2, what is wrong in words, no traceback."""

    def check(done: Done[str], *expected: str) -> None:
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == 2, done.stderr
        for text in expected:
            assert text in done.stderr, done.stderr

    return check
