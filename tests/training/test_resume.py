"""Killed at any moment and started again, a run ends as if it had never stopped: bit by bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from instructglm.config.training import EarlyStopping, TrainingSettings
from instructglm.config.tuning import LoraTuning
from instructglm.core.errors import StorageError
from instructglm.core.progress import SilentProgress
from instructglm.data.features import Feature
from instructglm.data.templates import Encoded
from instructglm.models.loading import load
from instructglm.training.batches import micro_batches
from instructglm.training.checkpoint import resume
from instructglm.training.loop import Setting, train
from instructglm.training.loss import weighted_count, weighted_nats
from instructglm.training.metrics_log import MetricsLog, read_metrics
from instructglm.tuning import METHODS

CPU = Setting(torch.device("cpu"), torch.float32, 0, seed=5)
SETTINGS = TrainingSettings(
    num_train_epochs=4, batch_size=4, micro_batch_size=2, learning_rate=1e-3, eval_steps=5, save_steps=3
)
BY_TOKENS = TrainingSettings(
    num_train_epochs=4, tokens_per_batch=40, tokens_per_micro_batch=20, learning_rate=1e-3, eval_steps=5, save_steps=3
)

SCRIPT = """
import sys
from pathlib import Path
import tests_resume
settings = getattr(tests_resume, sys.argv[3])
tests_resume.one_run(Path(sys.argv[1]), Path(sys.argv[2]), settings)
"""


def features(count: int) -> list[Feature]:
    generator = torch.Generator().manual_seed(1)
    draw = lambda n: torch.randint(5, 4000, (n,), generator=generator).tolist()  # noqa: E731
    return [Feature(str(i), Encoded.untrained(draw(3 + i % 7)), [draw(1 + i % 4)], [1.0]) for i in range(count)]


def one_run(model_folder: Path, folder: Path, settings: TrainingSettings = SETTINGS):
    """A run with dropout, so that the random state matters too."""
    model, _ = load(model_folder)
    moved = METHODS["lora"](model, LoraTuning(rank=4, dropout=0.1), dtype=torch.float32, seed=5)
    state = train(moved, features(60), features(8), settings, CPU, folder, SilentProgress())
    moved.save(folder / "adapter")
    return moved.state(), state


def losses(folder: Path) -> list[tuple]:
    """Everything in metrics.jsonl that is not a time."""
    return [
        tuple((key, value) for key, value in line.items() if not key.endswith("_s"))
        for line in read_metrics(folder / "metrics.jsonl")
    ]


def start(model_folder: Path, folder: Path, settings: str = "SETTINGS") -> subprocess.Popen:
    code = SCRIPT.replace("tests_resume", Path(__file__).stem)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.Popen([sys.executable, "-c", code, str(model_folder), str(folder), settings], env=environment)


def wait_for_step(folder: Path, step: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        lines = read_metrics(folder / "metrics.jsonl")
        if lines and lines[-1]["step"] >= step:
            return
        time.sleep(0.005)
    raise AssertionError(f"step {step} was not reached")


@pytest.mark.parametrize(("settings", "kills"), [("SETTINGS", (7, 22, 41)), ("BY_TOKENS", (17,))])
def test_killed_run_ends_bit_equal_to_an_uninterrupted_one(tiny_model, tmp_path, settings, kills):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    one_run(tiny_model, whole, globals()[settings])
    for step in kills:
        process = start(tiny_model, cut, settings)
        wait_for_step(cut, step, process)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert start(tiny_model, cut, settings).wait() == 0
    pairs = zip(losses(cut), losses(whole), strict=True)
    assert [pair for pair in pairs if pair[0] != pair[1]][:1] == []  # the first that differs, if one does
    name = "adapter/adapter_model.safetensors"
    assert (cut / name).read_bytes() == (whole / name).read_bytes()
    state = json.loads(next((cut / "checkpoints").glob("step-*/state.json")).read_text())
    assert len(state["resumed_at"]) == len(kills)


class Cut(SilentProgress):
    """Fails at the end of a step, before anything of it is written down."""

    def __init__(self, step: int) -> None:
        self.steps_left = step

    @contextmanager
    def stage(self, *_, **__):
        yield SimpleNamespace(advance=self.advance)

    def advance(self, *_, **__) -> None:
        self.steps_left -= 1
        if not self.steps_left:
            raise ConnectionAbortedError


PLANS = {
    "adamw_8bit": {"optimizer": "adamw_8bit", "lr_scheduler_type": "cosine_with_restarts", "warmup_steps": 3},
    "lion_8bit": {"optimizer": "lion_8bit", "lr_scheduler_type": "cosine_with_min_lr"}
    | {"lr_scheduler_kwargs": {"min_lr_rate": 0.1}},
    "adafactor": {"optimizer": "adafactor", "lr_scheduler_type": "warmup_stable_decay"}
    | {"lr_scheduler_kwargs": {"num_decay_steps": 10}},
    "sgd": {"optimizer": "sgd", "optim_args": {"momentum": 0.9}, "lr_scheduler_type": "polynomial"},
    "adagrad": {"optimizer": "adagrad", "lr_scheduler_type": "inverse_sqrt"},
    "rmsprop": {"optimizer": "rmsprop", "lr_scheduler_type": "constant"},
}


@pytest.mark.parametrize("plan", PLANS)
def test_with_any_optimizer_and_schedule_a_run_that_was_cut_ends_bit_equal(tiny_model, tmp_path, plan):
    if plan.endswith("8bit"):
        pytest.importorskip("bitsandbytes")
    settings = TrainingSettings.model_validate(SETTINGS.model_dump() | PLANS[plan] | {"max_steps": 20})
    tuning = LoraTuning(rank=128, dropout=0.1, use_rslora=True, use_dora=True, loraplus_lr_ratio=4.0)

    def one(folder: Path, progress: SilentProgress):
        model, _ = load(tiny_model)
        moved = METHODS["lora"](model, tuning, dtype=torch.float32, seed=5)
        train(moved, features(60), features(8), settings, CPU, folder, progress)
        return moved.state()

    whole = one(tmp_path / "whole", SilentProgress())
    with pytest.raises(ConnectionAbortedError):
        one(tmp_path / "cut", Cut(8))
    cut = one(tmp_path / "cut", SilentProgress())
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    assert [name for name in whole if not torch.equal(whole[name], cut[name])] == []


def test_two_runs_are_equal_to_the_bit(tiny_model, tmp_path):
    first, _ = one_run(tiny_model, tmp_path / "a")
    second, _ = one_run(tiny_model, tmp_path / "b")
    assert losses(tmp_path / "a") == losses(tmp_path / "b")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_interrupt_finishes_the_step_and_leaves_a_checkpoint(tiny_model, tmp_path):
    process = start(tiny_model, tmp_path)
    wait_for_step(tmp_path, 10, process)
    process.send_signal(signal.SIGINT)
    assert process.wait() != 0
    saved = next((tmp_path / "checkpoints").glob("step-*"))
    assert int(saved.name.removeprefix("step-")) == read_metrics(tmp_path / "metrics.jsonl")[-1]["step"]


def test_early_stopping_keeps_the_best_weights(tiny_model, tmp_path):
    """With a learning rate that ruins the model, the best step is an early one, and its weights are kept."""
    ruinous = SETTINGS.model_copy(
        update={"learning_rate": 0.5, "warmup_ratio": 0.0, "early_stopping": EarlyStopping(patience=2), "eval_steps": 2}
    )
    weights, state = one_run(tiny_model, tmp_path, ruinous)
    checks = state.watch.checks
    best = min(checks, key=lambda check: check.loss)
    assert state.watch.best == best
    assert state.step == checks[-1].step < 60
    assert all(check.loss >= best.loss for check in checks[-2:])
    moved = METHODS["lora"](load(tiny_model)[0], LoraTuning(rank=4), dtype=torch.float32, seed=5)
    moved.load_state(weights)
    batches = micro_batches(features(8), 8, 0, packed=False)
    with torch.no_grad():
        loss = sum(weighted_nats(moved.model.eval(), batch).item() for batch in batches) / weighted_count(batches)
    assert loss == pytest.approx(best.loss, rel=1e-6)


def test_damaged_checkpoint_is_named(tiny_model, tmp_path):
    one_run(tiny_model, tmp_path)
    saved = next((tmp_path / "checkpoints").glob("step-*"))
    (saved / "weights.safetensors").write_bytes(b"half")
    model, _ = load(tiny_model)
    moved = METHODS["lora"](model, LoraTuning(rank=4), dtype=torch.float32, seed=5)
    optimizer = torch.optim.AdamW(moved.trainable().values())
    with pytest.raises(StorageError, match=r"weights\.safetensors: damaged"):
        resume(tmp_path / "checkpoints", moved, optimizer)


def test_metrics_after_the_checkpoint_are_cut_away(tmp_path):
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path)
    for step in (1, 2, 3):
        log.write(step, train_loss_nats_per_token=1.0)
    with path.open("a") as file:
        file.write('{"step": 4, "train')
    MetricsLog(path, resume_at=2)
    assert [line["step"] for line in read_metrics(path)] == [1, 2]
