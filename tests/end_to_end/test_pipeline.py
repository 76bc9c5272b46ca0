"""The whole path on a tiny model: from rows to a report, again, elsewhere, and after a kill."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from instructglm import pipeline
from instructglm.config.loading import load_experiment
from instructglm.core.errors import DataError
from instructglm.core.progress import SilentProgress
from instructglm.core.records import Split
from instructglm.core.workspace import Workspace
from instructglm.data.dataset import read_examples
from instructglm.evaluation.predictions import read_predictions
from instructglm.report.files import read_report
from instructglm.training.metrics_log import read_metrics

FIGURES = {"accuracy", "macro_precision", "macro_recall", "macro_f1"}
TASKS = {"mood", "greetings"}
COMMAND = [sys.executable, "-m", "instructglm.cli.main"]
EXPERIMENT = """\
name: tiny
model: {{name_or_path: {model}, dtype: float32, device: cpu}}
data:
  sources:
    - {{path: mood.jsonl, instruction: "Is this good or bad?", choices: [good, bad]}}
    - {{path: greetings.jsonl}}
  split: {{validation: 0.2, test: 0.25}}
  max_length: 128
tuning: {{method: lora, rank: 4, dropout: 0.1}}
training: {{num_train_epochs: 8, batch_size: 4, micro_batch_size: 4, learning_rate: 0.01,
           eval_steps: 10, save_steps: 5}}
evaluation: {{num_resamples: 200, max_new_tokens: 6, max_new_tokens_closed: 4}}
"""


class Heard(SilentProgress):
    """Remembers what was said and which stages had a bar."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.stages: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def stage(self, name: str, **settings: Any):
        self.stages.append(name)
        return super().stage(name, **settings)


@pytest.fixture(scope="module")
def project(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment with a closed and an open task, of sixty-odd rows of our own."""
    folder = tmp_path_factory.mktemp("project")
    things = ["film", "soup", "train", "Buch", "天气", "chair", "walk", "song", "bed", "phone"]
    ways = [("I love this {}.", "good"), ("The {} was awful.", "bad"), ("这个{}真好。", "good"), ("讨厌的{}！", "bad")]
    mood = [{"text": way.format(thing), "label": label} for thing in things for way, label in ways]
    who = ["Ann", "Bob", "小明", "Eve", "Max", "Zoë", "老王", "Kim", "Lee", "Ada", "Tom", "Pia"]
    greetings = [{"instruction": f"Greet {name} {when}.", "output": [f"Hi {name}!", f"你好，{name}。"]}
                 for name in who for when in ("now", "later")]  # fmt: skip
    for name, rows in (("mood", mood), ("greetings", greetings)):
        text = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    (folder / "experiment.yaml").write_text(EXPERIMENT.format(model=tiny_model))
    return folder


def go(project: Path, out: Path, *overrides: str, stage=pipeline.run) -> tuple[Any, Heard]:
    heard = Heard()
    experiment = load_experiment(project / "experiment.yaml", overrides)
    return stage(experiment, project, out, heard, "instructglm run experiment.yaml"), heard


@pytest.fixture(scope="module")
def out(project: Path) -> Path:
    """The output folder of one finished run."""
    go(project, project / "out")
    return project / "out"


@pytest.fixture(scope="module")
def report(out: Path) -> dict[str, Any]:
    return json.loads((out / "report" / "report.json").read_text(encoding="utf-8"))


def folder_of(out: Path, kind: str) -> Path:
    return out / getattr(Workspace(out).read_latest(), kind)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def losses(out: Path) -> list[dict[str, float]]:
    lines = read_metrics(folder_of(out, "run") / "metrics.jsonl")
    return [{key: value for key, value in line.items() if not key.endswith("_s")} for line in lines]


def skipped(heard: Heard) -> list[str]:
    return [line.split("/")[0] for line in heard.said if line.endswith("is up to date: skipped")]


# --- the report ----------------------------------------------------------------------------------------------------
def test_each_model_and_task_has_its_figures_with_intervals(out, report):
    held_out = read_examples(folder_of(out, "dataset"), Split.TEST)
    num_items = {task: sum(example.task == task for example in held_out) for task in TASKS}
    assert min(num_items.values()) > 3
    for row in report["metrics"]:
        assert row.keys() >= {"model", "task", "metric", "value", "low", "high", "n", "num_unparsed"}
        assert row["low"] <= row["value"] <= row["high"]
        assert row["n"] == num_items[row["task"]] or "[" in row["metric"]  # of one class: as many as it has
    for model in ("base", "tuned"):
        for task in TASKS:
            found = {row["metric"] for row in report["metrics"] if (row["model"], row["task"]) == (model, task)}
            assert found >= FIGURES


def test_base_and_tuned_are_compared_on_both_tasks(report):
    for row in report["comparisons"]:
        assert row.keys() >= {"task", "metric", "a", "b", "difference", "low", "high", "p_value", "n"}
        assert (row["a"], row["b"]) == ("base", "tuned")
        assert 0 <= row["p_value"] <= 1
        values = {
            one["model"]: one["value"]
            for one in report["metrics"]
            if (one["task"], one["metric"]) == (row["task"], row["metric"])
        }
        assert row["difference"] == pytest.approx(values["tuned"] - values["base"])
    assert {row["task"] for row in report["comparisons"]} == TASKS


def test_the_page_names_no_other_host(out):
    page = (out / "report" / "index.html").read_text(encoding="utf-8")
    loading = (
        r"""(?:src|href|action|data|poster)\s*=\s*["']?\s*(?:https?:)?//|url\(\s*["']?(?:https?:)?//|@import|fetch\("""
    )
    assert not re.search(loading, page)
    assert re.findall(r"https?://[^\s\"'<]+", page) in ([], ["http://www.w3.org/2000/svg"] * page.count("www.w3.org"))


def test_the_report_is_read_back_and_says_how_it_came_about(out, report):
    read = read_report(out / "report")
    assert read.environment.command == "instructglm run experiment.yaml"
    assert set(read.environment.stage_seconds) == {"data", "train", "evaluate"}
    assert {task["task"] for task in report["data"]["tasks"]} == TASKS
    assert report["headline"]


def test_training_learnt_something_and_is_in_the_report(out, report):
    curve = [point["loss"] for point in report["training"]["train_curve"]]
    assert sum(curve[-8:]) < sum(curve[:8])
    steps = [line["step"] for line in read_metrics(folder_of(out, "run") / "metrics.jsonl")]
    assert steps == sorted(steps)
    assert report["training"]["best_step"] in steps
    assert report["training"]["validation_curve"][0]["step"] == 0


def test_nothing_half_made_is_left(out):
    assert not [path for path in out.rglob("*") if path.name.endswith((".tmp", ".old", ".partial"))]
    assert not (folder_of(out, "run") / "checkpoints").exists()


def test_comparisons_stand_in_a_file_of_their_own(out, report):
    rows = json.loads((out / "comparisons" / "base--tuned.json").read_text(encoding="utf-8"))
    assert rows == report["comparisons"]


# --- again ---------------------------------------------------------------------------------------------------------
def test_a_second_run_skips_every_stage_and_says_so(project, out):
    before = {name: content for name, content in contents(out).items() if not name.startswith("report")}
    _, heard = go(project, out)
    assert skipped(heard) == ["datasets", "runs", "runs"]
    assert heard.stages == []
    after = {name: content for name, content in contents(out).items() if not name.startswith("report")}
    assert before == after


def test_other_evaluation_settings_only_evaluate_again(project, out, tmp_path):
    copied = Path(shutil.copytree(out, tmp_path / "out"))
    _, heard = go(project, copied, "evaluation.max_new_tokens=3")
    assert skipped(heard) == ["datasets", "runs"]
    assert heard.stages == ["answers of base", "answers of tuned"]
    assert len(list((folder_of(copied, "run") / "evaluation").glob("test-*"))) == 2


def test_surer_intervals_ask_no_model_again(project, out, tmp_path):
    copied = Path(shutil.copytree(out, tmp_path / "out"))
    page, heard = go(project, copied, "evaluation.confidence=0.8")
    assert heard.stages == []
    assert sum("answers of" in line for line in heard.said) == 2
    wide = {(row.model, row.task, row.metric): row for row in read_report(out / "report").metrics}
    for row in read_report(page.parent).metrics:
        before = wide[row.model, row.task, row.metric]
        assert row.value == before.value
        assert row.high - row.low <= before.high - before.low


def test_the_experiment_saved_in_a_run_runs_from_anywhere(project, out, tmp_path):
    saved = folder_of(out, "run") / "experiment.yaml"
    experiment = load_experiment(saved)
    heard = Heard()
    pipeline.build(experiment, saved.parent, tmp_path / "elsewhere", heard)
    assert any("dataset:" in line for line in heard.said)


def test_another_name_of_a_setting_that_decides_nothing_trains_nothing(project, out, tmp_path):
    copied = Path(shutil.copytree(out, tmp_path / "out"))
    _, heard = go(project, copied, "title=Another title")
    assert heard.stages == []
    assert read_report(copied / "report").title == "Another title"


def test_two_folders_get_equal_datasets_losses_and_predictions(project, out, tmp_path):
    go(project, tmp_path / "again")
    again = tmp_path / "again"
    assert contents(folder_of(out, "dataset")) == contents(folder_of(again, "dataset"))
    assert losses(out) == losses(again)
    for name in ("../predictions-base.parquet", "../predictions-tuned.parquet", "scores.json"):
        first, second = (folder_of(folder, "evaluation") / name for folder in (out, again))
        assert first.read_bytes() == second.read_bytes()


# --- killed --------------------------------------------------------------------------------------------------------
def wait_for_step(out: Path, step: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        for path in out.glob("runs/*.partial/metrics.jsonl"):
            if (lines := read_metrics(path)) and lines[-1]["step"] >= step:
                return
        time.sleep(0.005)
    raise AssertionError(f"step {step} was not reached; exit code {process.poll()}")


def test_a_run_killed_in_training_ends_as_if_it_had_never_stopped(project, out, tmp_path):
    command = [*COMMAND, "run", str(project / "experiment.yaml"), "--out", str(tmp_path / "cut")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    wait_for_step(tmp_path / "cut", 23, process)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "cut" / "report").exists()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"training goes on from step \d+ of", done.stderr)
    assert "is up to date: skipped" in done.stderr  # the dataset
    adapter = "adapter/adapter_model.safetensors"
    whole, cut = (folder_of(folder, "run") / adapter for folder in (out, tmp_path / "cut"))
    assert whole.read_bytes() == cut.read_bytes()
    assert losses(out) == losses(tmp_path / "cut")
    assert read_report(tmp_path / "cut" / "report").training.resumed_at


# --- other methods, other models, other splits -----------------------------------------------------------------------
SHORT = ("training.num_train_epochs=1", "tuning={method: full}")


@pytest.mark.parametrize("method", ["full", "freeze"])
def test_other_methods_leave_a_whole_model_that_is_scored(project, tmp_path, method):
    page, _ = go(project, tmp_path, SHORT[0], f"tuning={{method: {method}}}")
    report = read_report(page.parent)
    assert report.training.method == method
    assert {row.model for row in report.metrics} == {"base", "tuned"}
    assert (folder_of(tmp_path, "run") / "model" / "model.safetensors").exists()


def test_a_third_model_is_scored_and_a_later_one_asks_the_others_no_more(project, out, tiny_model, tmp_path):
    """The third is the base's own folder, so its predictions are the base's."""
    copied = Path(shutil.copytree(out, tmp_path / "out"))
    models = f"evaluation.models=[base, tuned, {{name: third, name_or_path: {tiny_model}}}]"
    page, heard = go(project, copied, models)
    assert skipped(heard) == ["datasets", "runs"]
    report = read_report(page.parent)
    value = {(row.model, row.task, row.metric): row.value for row in report.metrics}
    for task in TASKS:
        for figure in FIGURES:
            assert value["third", task, figure] == value["base", task, figure]
    assert {(row.a, row.b) for row in report.comparisons} == {("base", "tuned"), ("base", "third")}
    asked = folder_of(copied, "evaluation").parent
    base, third = (read_predictions(next(asked.glob(f"predictions-{name}*.parquet"))) for name in ("base", "third"))
    assert [line for line in heard.said if "answers of base are up to date" in line]
    assert [one.choice_logprobs for one in base] == [one.choice_logprobs for one in third]


def test_no_validation_split_is_no_obstacle(project, tmp_path):
    page, _ = go(project, tmp_path, *SHORT, "data.split.validation=0")
    training = read_report(page.parent).training
    assert training.validation_curve == ()
    assert training.best_step == training.num_steps


def test_no_test_split_is_told_before_training(project, tmp_path):
    with pytest.raises(DataError, match=r"test") as caught:
        go(project, tmp_path, "data.split.test=0")
    assert "data.split.test" in caught.value.hint
    assert not (tmp_path / "runs").exists()


def test_an_overlong_row_is_refused_by_name_dropped_or_cut(project, tmp_path):
    with pytest.raises(DataError, match=r"(mood|greetings)\.jsonl:\d+: \d+ tokens with its output") as caught:
        go(project, tmp_path, "data.max_length=44", stage=pipeline.train)
    assert "data.overlong" in caught.value.hint
    page, _ = go(project, tmp_path, *SHORT, "data.max_length=44", "data.overlong=drop")
    report = read_report(page.parent)
    overlong = [entry for entry in report.data.ledger if entry.reason == "overlong"]
    assert len(overlong) == report.data.ledger_counts["overlong"] > 0
    assert report.training.settings["num_train_prompts"] > 0


def test_each_stage_alone_does_what_is_missing_before_it(project, out, tmp_path):
    dataset, _ = go(project, tmp_path, stage=pipeline.build)
    assert contents(dataset) == contents(folder_of(out, "dataset"))
    paths, heard = go(project, Path(shutil.copytree(out, tmp_path / "out")), stage=pipeline.compare)
    assert [path.name for path in paths] == ["base--tuned.json"]
    assert heard.stages == []


# --- chat ----------------------------------------------------------------------------------------------------------
def test_chat_answers_from_a_pipe_and_remembers_the_conversation(out):
    """Against the same model asked in this process, with the first turn in its messages and without."""
    from instructglm.core.records import Message
    from instructglm.serving.chat import open_chat

    done = subprocess.run(
        [*COMMAND, "chat", str(out), "--max-new-tokens", "12"],
        input="Greet Ann now.\nAnd Bob?\n/reset\nAnd Bob?\n", capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    chat = open_chat(out)

    def say(*texts: str) -> str:
        roles = ("user", "assistant") * len(texts)
        turns = [Message(role=role, content=text) for role, text in zip(roles, texts, strict=False)]
        return "".join(chat.stream(turns, 12))

    first = say("Greet Ann now.")
    assert done.stdout == "\n".join(
        [first, say("Greet Ann now.", first, "And Bob?"), "(forgotten)", say("And Bob?"), ""]
    )
