"""A run without validation examples says what it goes without."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_runs import Told, features

from instructglm.config.experiment import Experiment
from instructglm.core.errors import DataError
from instructglm.core.records import Example, Message, Output
from instructglm.core.workspace import Workspace
from instructglm.data.dataset import write_examples
from instructglm.pipeline.job import Job
from instructglm.pipeline.watching import tell_unwatched

HELD_OUT = Example(
    id="a", task="mood", messages=(Message(role="user", content="How is it?"),), outputs=(Output(text="good"),),
    group="a", row="rows.jsonl:1",
)  # fmt: skip


def tell(folder: Path, held_out: list[Example], **training: object) -> list[str]:
    """What is said of a run that can read none of `held_out`."""
    experiment = Experiment.model_validate(
        {"name": "a", "data": {"sources": [{"path": "a.jsonl"}]}, "training": training}
    )
    write_examples(folder / "validation.parquet", held_out)
    job = Job(experiment, folder, Workspace(folder), Told(), "")
    tell_unwatched(job, folder, [])
    return job.progress.lines


def test_early_stopping_has_nothing_to_go_by(tmp_path) -> None:
    (line,) = tell(tmp_path, [])
    assert line.startswith("training.early_stopping needs validation examples: there are none. All steps are trained")
    assert line.endswith("raise data.split.validation")


def test_examples_that_are_all_too_long_are_another_matter(tmp_path) -> None:
    (line,) = tell(tmp_path, [HELD_OUT], early_stopping=None)
    assert line.startswith("validation examples: of 1 none is left (see the ledger). All steps")
    assert line.endswith("raise data.max_length")


@pytest.mark.parametrize(("held_out", "key"), [([], "data.split.validation"), ([HELD_OUT], "data.max_length")])
def test_metrics_that_would_never_be_computed_are_refused(tmp_path, held_out, key) -> None:
    with pytest.raises(DataError, match=rf"training.eval_metrics needs validation examples, .*\nRaise {key}, or set"):
        tell(tmp_path, held_out, eval_metrics={})


def test_where_there_is_something_to_watch_nothing_is_said(tmp_path) -> None:
    job = Job(Experiment.model_validate({"name": "a", "data": {"sources": [{"path": "a"}]}}), tmp_path,
              Workspace(tmp_path), Told(), "")  # fmt: skip
    tell_unwatched(job, tmp_path, features(1))
    assert job.progress.lines == []
