"""`data build`, `stats` and `preview` on a project fresh from `init`."""

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def project(cli: Any, tmp_path: Path) -> Path:
    cli("init", tmp_path)
    return tmp_path / "experiment.yaml"


def test_a_dataset_is_built_once(cli: Any, project: Path) -> None:
    first = cli("data", "build", project, "--out", project.parent / "out")
    again = cli("data", "build", project, "--out", project.parent / "out")
    assert (first.code, again.code) == (0, 0)
    assert first.out == again.out
    assert (Path(first.out.strip()) / "manifest.json").exists()
    assert "is up to date: skipped" in again.err
    as_json = json.loads(cli("data", "build", project, "--out", project.parent / "out", "--json").out)
    assert as_json == {"dataset": first.out.strip()}


def test_stats_count_every_row_once(cli: Any, project: Path) -> None:
    with (project.parent / "data" / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"instruction": "What do bees make?", "input": "", "output": "Honey."}\n')
    done = cli("data", "stats", project, "--out", project.parent / "out")
    rows = dict(line.split()[:2] for line in done.out.splitlines() if line)
    assert done.code == 0
    assert sum(int(rows[split]) for split in ("train", "validation", "test")) == 40
    assert rows["duplicate"] == "1"


@pytest.mark.model
def test_a_preview_marks_the_answer_and_its_end(cli: Any, project: Path) -> None:
    done = cli("data", "preview", project, "-n", 2, "--out", project.parent / "out")
    num_outputs = done.out.count("⟦")  # two examples, each with all its outputs
    assert (done.code, num_outputs >= 2, done.out.count("⟧")) == (0, True, num_outputs)
    assert "⟦Seven.<|im_end|>⟧" in done.out
    as_json = json.loads(cli("data", "preview", project, "-n", 2, "--out", project.parent / "out", "--json").out)
    assert [one["stop_token_trained"] for one in as_json] == [True] * num_outputs
