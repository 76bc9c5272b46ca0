"""Stopped at any moment, in any stage, by any signal: nothing is half-written, and the same command goes on."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from terminal import wait_for

from instructglm.core.workspace import Workspace

pytestmark = pytest.mark.slow

MOMENTS = [
    ("read 60 examples", signal.SIGINT),  # the rows are read, the dataset is not yet written
    ("step 6:", signal.SIGTERM),
    ("step 30:", signal.SIGKILL),
    ("step 48:", signal.SIGINT),
    ("train: 60 steps", signal.SIGTERM),  # trained, not yet evaluated
    ("answers of base", signal.SIGKILL),
]


def results(out: Path) -> list[object]:
    """All that equal runs must agree on: the data, every loss, the weights, the answers and their scores; no times."""
    latest = Workspace(out).read_latest()
    dataset, run, evaluation = (out / str(name) for name in (latest.dataset, latest.run, latest.evaluation))
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    files = [
        dataset / "train.parquet",
        run / "adapter" / "adapter_model.safetensors",
        evaluation.parent / "predictions-tuned.parquet",
        evaluation / "scores.json",
    ]
    losses = [[(key, value) for key, value in line.items() if not key.endswith("_s")] for line in lines]
    return [losses, *(file.read_bytes() for file in files)]


def test_stopped_in_every_stage_a_run_ends_as_if_it_never_had(project) -> None:
    whole, stopped = project("whole"), project("stopped")
    assert whole.run("run").returncode == 0
    for moment, number in MOMENTS:
        process = stopped.start("run")
        wait_for(process, moment)
        process.send_signal(number)
        told = process.communicate(timeout=60)[1]
        assert "Traceback" not in told
        if number == signal.SIGKILL:
            assert process.returncode == -signal.SIGKILL
        else:
            assert process.returncode == (2 if number == signal.SIGINT else 128 + number), told
            assert "Run the same command again to go on from there." in told
            assert not stopped.half_written()
    done = stopped.run("run")
    assert done.returncode == 0, done.stderr
    assert results(stopped.out) == results(whole.out)
    assert not stopped.half_written()
    assert not list(stopped.out.rglob("*.partial"))


def test_who_changes_a_setting_after_an_interruption_is_told_of_the_run_that_waits(project) -> None:
    mood = project()
    process = mood.start("train")
    wait_for(process, "step 12:")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    (waiting,) = mood.out.rglob("*.partial")
    done = mood.run("train", "training.learning_rate=0.002", "training.max_steps=2")
    assert done.returncode == 0, done.stderr
    assert f"differ from those of {waiting.name}, which was interrupted at step 1" in done.stderr
    assert f"stays until you remove it: rm -r {waiting}" in done.stderr
    assert "training goes on from step 1" in mood.run("train", "training.micro_batch_size=1").stderr
    assert not waiting.exists()


def test_a_second_process_is_kept_out_and_a_second_ctrl_c_ends_the_first_at_once(project, refused) -> None:
    mood = project()
    long = ("train", "training.max_steps=100000", "training.num_train_epochs=100000", "training.eval_steps=50")
    first = mood.start(*long)
    try:
        wait_for(first, "step 50:")
        refused(mood.run(*long), "another process is at work here", "or choose another folder with --out")
        first.send_signal(signal.SIGINT)
        first.send_signal(signal.SIGINT)
        told = first.communicate(timeout=60)[1]
        assert (first.returncode, "Traceback" in told) == (2, False)
        assert not mood.half_written()
    finally:
        first.kill()
