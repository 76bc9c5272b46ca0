"""Interrupted runs are named when another one begins, with what they take; none is touched."""

from __future__ import annotations

from pathlib import Path

from tiny_runs import Told

from instructglm.config.experiment import Experiment
from instructglm.core.workspace import Workspace, exclusive
from instructglm.pipeline.job import Job
from instructglm.pipeline.waiting import beside, tell_of_waiting


def told(out: Path, final: str) -> list[str]:
    experiment = Experiment.model_validate({"name": "mood", "data": {"sources": [{"path": "a.jsonl"}]}})
    job = Job(experiment, out, Workspace(out), Told(), "")
    tell_of_waiting(job, out / final)
    return job.progress.lines


def interrupted(out: Path, name: str, *steps: int) -> Path:
    """A run that was stopped after checkpoints at `steps`."""
    folder = beside(out / name)
    folder.mkdir(parents=True)
    for step in steps:
        (folder / "checkpoints" / f"step-{step:08d}").mkdir(parents=True)
        (folder / "checkpoints" / f"step-{step:08d}" / "weights.safetensors").write_bytes(b"0" * 1024)
    return folder


def test_each_is_named_with_its_step_its_size_and_how_to_be_rid_of_it(tmp_path) -> None:
    out = tmp_path / "my runs"
    first, second = interrupted(out, f"mood-{'a' * 12}", 4, 12), interrupted(out, f"mood-{'b' * 12}")
    lines = told(out, f"mood-{'c' * 12}")
    assert [line.partition("interrupted ")[2] for line in lines] == [
        f"at step 12, from where it can go on. It takes 2.0 KiB and stays until you remove it: rm -r '{first}'",
        f"before its first checkpoint. It takes 0 B and stays until you remove it: rm -r '{second}'",
    ]
    assert first.exists()
    assert second.exists()


def test_a_run_at_work_one_of_another_experiment_and_the_one_that_goes_on_are_not(tmp_path) -> None:
    interrupted(tmp_path, f"mood-two-{'a' * 12}", 4)
    interrupted(tmp_path, f"mood-{'a' * 12}", 4)
    with exclusive(tmp_path / f"mood-{'a' * 12}"):
        assert told(tmp_path, f"mood-{'c' * 12}") == []
    assert told(tmp_path, f"mood-{'a' * 12}") == []
    assert len(told(tmp_path, f"mood-{'c' * 12}")) == 1
