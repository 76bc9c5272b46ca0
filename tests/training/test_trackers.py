"""Other places that are told what metrics.jsonl is told."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_runs import SETTINGS, Told, curve, run

from instructglm.core.errors import RunError
from instructglm.training.metrics_log import read_metrics
from instructglm.training.trackers import open_trackers, require_trackers

NAMES = ("tensorboard", "wandb", "mlflow", "swanlab")
REPORTED = SETTINGS.model_copy(update={"report_to": ["tensorboard"], "eval_steps": 3})
KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from instructglm.training import loop
from tiny_runs import run
from test_trackers import REPORTED

real = loop._Run._after_step
def after_step(self):
    real(self)
    if self.state.step == 5:  # a step later than the last checkpoint
        os.kill(os.getpid(), signal.SIGKILL)
loop._Run._after_step = after_step
run(Path(sys.argv[1]), Path(sys.argv[2]), REPORTED)
"""


def events(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Tag -> step and value of all events that TensorBoard shows, rounded as it rounds."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0}).Reload()
    return {tag: [(event.step, event.value) for event in found.Scalars(tag)] for tag in sorted(found.Tags()["scalars"])}


def written(folder: Path) -> dict[str, list[tuple[int, float]]]:
    tags: dict[str, list[tuple[int, float]]] = {}
    for line in read_metrics(folder / "metrics.jsonl"):
        for name, value in line.items():
            if name != "step":
                tags.setdefault(name, []).append((int(line["step"]), value))
    return dict(sorted(tags.items()))


def same(left: dict[str, list[tuple[int, float]]], right: dict[str, list[tuple[int, float]]]) -> None:
    assert list(left) == list(right)
    for tag in left:
        assert [step for step, _ in left[tag]] == [step for step, _ in right[tag]], tag
        assert [v for _, v in left[tag]] == pytest.approx([v for _, v in right[tag]], rel=1e-6), tag


def test_tensorboard_shows_every_figure_of_the_log(tiny_model, tmp_path) -> None:
    pytest.importorskip("tensorboard")
    run(tiny_model, tmp_path, REPORTED)
    shown = events(tmp_path)
    assert [step for step, _ in shown["train_loss_nats_per_token"]] == [1, 2, 3, 4, 5, 6]
    assert [step for step, _ in shown["validation_loss_nats_per_token"]] == [0, 3, 6]
    same(shown, written(tmp_path))


def test_tensorboard_shows_each_step_of_a_resumed_run_once(tiny_model, tmp_path) -> None:
    pytest.importorskip("tensorboard")
    places = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "support")]
    code = f"import sys; sys.path[:0] = {places}\n{KILLED}"
    command = [sys.executable, "-W", "ignore", "-c", code, str(tiny_model), str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert [step for step, _ in events(tmp_path)["train_loss_nats_per_token"]] == [1, 2, 3, 4, 5]
    time.sleep(1.1)  # it reads its files by their names, which hold the second they were begun in
    _, state = run(tiny_model, tmp_path, REPORTED)
    assert state.resumed_at == (4,)
    same(events(tmp_path), written(tmp_path))


def test_a_run_that_reports_trains_as_one_that_does_not(tiny_model, tmp_path) -> None:
    pytest.importorskip("tensorboard")
    run(tiny_model, tmp_path / "told", REPORTED)
    run(tiny_model, tmp_path / "silent", REPORTED.model_copy(update={"report_to": []}))
    assert curve(tmp_path / "told") == curve(tmp_path / "silent")


@pytest.mark.parametrize("name", NAMES)
def test_a_library_that_is_missing_is_named_with_the_command_that_gets_it(name, monkeypatch) -> None:
    monkeypatch.setattr("instructglm.training.trackers.find_spec", lambda module: None)
    with pytest.raises(RunError) as raised:
        require_trackers([name])
    assert raised.value.faults == (f"training.report_to names {name}, which is not installed",)
    assert f"pip install {name};" in raised.value.hint


@pytest.mark.parametrize("name", NAMES)
def test_every_tracker_is_one_of_the_library_with_the_options_that_it_takes(name, tmp_path) -> None:
    """Each is made, not started: starting needs its own library."""
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    from instructglm.training.trackers import _known

    known = _known(tmp_path / "mood-1.partial", 7)[name]
    tracker = LOGGER_TYPE_TO_CLASS[name]("instructglm", **known.options)
    assert tracker.name == name


def test_nothing_is_imported_unless_it_is_asked_for(tmp_path) -> None:
    code = (
        "import sys; from pathlib import Path; from instructglm.training.trackers import open_trackers\n"
        f"with open_trackers([], Path({str(tmp_path)!r}), 0) as trackers: trackers.log(1, {{'loss': 1.0}})\n"
        f"assert not {set(NAMES)!r} & set(sys.modules), set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_a_tracker_that_fails_later_is_told_no_more_and_the_run_goes_on(tiny_model, tmp_path, monkeypatch) -> None:
    pytest.importorskip("tensorboard")
    from accelerate.tracking import TensorBoardTracker

    def log(self, values, step=None):
        if step == 3:
            raise ConnectionError("no answer")

    monkeypatch.setattr(TensorBoardTracker, "log", log)
    told = Told()
    _, state = run(tiny_model, tmp_path, REPORTED, progress=told)
    assert state.step == 6
    failed = [line for line in told.lines if "tensorboard" in line]
    assert failed == ["tensorboard failed at step 3 and is told no more; training goes on: no answer"]


def test_a_library_that_refuses_to_start_is_told_with_its_reason(tmp_path) -> None:
    pytest.importorskip("tensorboard")
    (tmp_path / "tensorboard").write_text("a file where the folder should be")
    with pytest.raises(RunError, match=r"tensorboard did not start: .*\n.*out of training\.report_to"):
        open_trackers(["tensorboard"], tmp_path, 0).__enter__()
