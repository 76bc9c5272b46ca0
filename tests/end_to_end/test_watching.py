"""A run that watches task metrics, ended by SIGTERM and by kill -9, goes on with the same command, bit by bit."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest
from terminal import wait_for

pytestmark = pytest.mark.slow

WATCHED = (
    "training.eval_metrics={metrics: [accuracy, generated_accuracy], num_examples: 5, max_new_tokens_closed: 2}",
    "training.early_stopping={metric: accuracy, patience: 100}",
    "training.eval_steps=6",
)


def outcome(out: Path) -> list[object]:
    (run,) = (path for path in (out / "runs").iterdir() if path.is_dir())
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    curve = [{key: value for key, value in line.items() if not key.endswith("_s")} for line in lines]
    best = json.loads((run / "run.json").read_text())["training"]["best_step"]
    return [curve, best, (run / "adapter" / "adapter_model.safetensors").read_bytes()]


def test_ended_by_sigterm_and_by_kill_a_watched_run_goes_on_to_the_bit(project) -> None:
    whole, cut = project("whole"), project("cut")
    assert whole.run("train", *WATCHED).returncode == 0
    process = cut.start("train", *WATCHED)
    wait_for(process, "step 18:")
    process.send_signal(signal.SIGTERM)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 143, told
    assert "Ended by SIGTERM: what is finished stays. Run the same command again to go on from there." in told
    assert list(cut.out.glob("runs/*.partial/checkpoints/step-*/state.json"))
    process = cut.start("train", *WATCHED)
    wait_for(process, "step 36:")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    done = cut.run("train", *WATCHED)
    assert done.returncode == 0, done.stderr
    assert "accuracy 0." in done.stderr
    curve, *rest = outcome(whole.out)
    assert outcome(cut.out) == [curve, *rest]
    checks = [line for line in curve if "validation_accuracy" in line]
    assert [line["step"] for line in checks] == list(range(0, 61, 6))
    best = max(checks, key=lambda line: (line["validation_accuracy"], -line["validation_loss_nats_per_token"]))
    assert rest[0] == best["step"]


def test_a_run_that_is_taken_up_under_another_experiment_is_refused_naming_what_differs(project, refused) -> None:
    mood = project()
    folders = []
    for rate in ("0.001", "0.002"):
        process = mood.start("train", f"training.learning_rate={rate}", "training.save_steps=1")
        wait_for(process, "step 6:")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        folders.append(next(path for path in mood.out.glob("runs/*.partial") if path not in folders))
    shutil.rmtree(folders[1])
    folders[0].rename(folders[1])
    done = mood.run("train", "training.learning_rate=0.002", "training.save_steps=1")
    refused(done, "training.learning_rate was 0.001, and is 0.002", "A run goes on only as it began")
    assert list(folders[1].glob("checkpoints/step-*"))


def test_a_tracker_that_is_missing_is_told_before_the_model_is_read(project, refused) -> None:
    mood = project()
    done = mood.run("train", "training.report_to=[swanlab]", "model.name_or_path=chatglm-tiny")
    refused(done, "training.report_to names swanlab, which is not installed", "pip install swanlab;")


def test_metrics_without_validation_examples_and_metrics_of_another_kind_of_task(project, refused) -> None:
    mood = project()
    none = mood.run("train", *WATCHED, "data.split.validation=0")
    refused(none, "training.eval_metrics needs validation examples", "Raise data.split.validation")
    other = mood.run("train", "training.eval_metrics={metrics: [rouge_l]}")
    refused(other, "no task of the validation sample has rouge_l", "Choose from: accuracy,")
