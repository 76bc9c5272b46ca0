"""Real task files, from the file to a report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from instructglm import pipeline
from instructglm.config.experiment import Experiment
from instructglm.core.progress import SilentProgress

METRICS = {"accuracy", "macro_precision", "macro_recall", "macro_f1"}


def experiment(path: Path, model: Path) -> Experiment:
    return Experiment.model_validate(
        {
            "name": "real-task",
            "model": {"name_or_path": str(model), "dtype": "float32"},
            "data": {
                "sources": [{"path": str(path), "task": "real", "limit": {"train": 24, "validation": 8, "test": 20}}],
                "overlong": "truncate_prompt",
            },
            "tuning": {"method": "lora", "rank": 4},
            "training": {"num_train_epochs": 1, "batch_size": 8},
            "evaluation": {"max_new_tokens": 4, "max_new_tokens_closed": 4, "num_resamples": 200},
        }
    )


@pytest.mark.parametrize(
    ("file", "num_choices"),
    [
        ("task875_emotion_classification.json", 6),
        ("fewclue_eprstmt.json", 2),
        ("task129_scan_long_text_generation_action_command_short.json", 0),
    ],
)
def test_a_real_task_file_runs_to_its_report(shared_data, tiny_model, tmp_path, file, num_choices):
    chosen = experiment(shared_data / "tasks" / file, tiny_model)
    page = pipeline.run(chosen, tmp_path, tmp_path / "out", SilentProgress(), "instructglm run")
    report = json.loads((page.parent / "report.json").read_text(encoding="utf-8"))
    (task,) = report["data"]["tasks"]
    assert len(task["choices"]) == num_choices
    assert task["num_examples"] == {"train": 24, "validation": 8, "test": 20}
    for model in ("base", "tuned"):
        rows = {row["metric"]: row for row in report["metrics"] if row["model"] == model and row["task"] == "real"}
        assert rows.keys() >= METRICS
        assert all(row["low"] <= row["value"] <= row["high"] and row["n"] == 20 for row in map(rows.get, METRICS))
    assert {(row["a"], row["b"]) for row in report["comparisons"]} == {("base", "tuned")}
