"""Two processes train as one does: for real, on gloo, started as `instructglm train` starts them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed
from torch.testing import assert_close

from instructglm.config.data import DataSettings
from instructglm.config.training import EvalMetrics, TrainingSettings
from instructglm.config.tuning import FreezeTuning, FullTuning, LoraTuning, PrefixTuning
from instructglm.core.errors import ConfigError, RunError
from instructglm.core.progress import Count, SilentProgress
from instructglm.core.records import Example, Message
from instructglm.data.features import Feature
from instructglm.data.templates import Encoded, template_for
from instructglm.evaluation.predict import Predictor
from instructglm.evaluation.validate import validator
from instructglm.models.loading import load
from instructglm.training import loop
from instructglm.training.distributed.failures import reported
from instructglm.training.distributed.fleet import Fleet
from instructglm.training.distributed.launch import launch
from instructglm.training.distributed.parent import end_with
from instructglm.training.distributed.process import heed_signals, joined
from instructglm.training.distributed.ranks import ALONE, Ranks
from instructglm.training.loop import Setting, train
from instructglm.training.metrics_log import read_metrics
from instructglm.training.validation import task_metrics
from instructglm.tuning import METHODS

pytestmark = pytest.mark.alone

CPU = torch.device("cpu")
TWO = Fleet(processes=2)
TUNINGS = {
    "full": FullTuning(method="full"),
    "freeze": FreezeTuning(method="freeze", num_layers=1, train_head=True),
    "lora": LoraTuning(rank=4),
    "thin": LoraTuning(rank=1),  # of A, a matrix of one row, the second process has nothing
    "dropout": LoraTuning(rank=4, dropout=0.1),
    "prefix": PrefixTuning(method="prefix", num_virtual_tokens=4),
}
# 13 prompts, 6 a step: the last batch of an epoch is one prompt, and one process has nothing to do.
SETTINGS = TrainingSettings(
    num_train_epochs=2, batch_size=6, micro_batch_size=2, learning_rate=1e-3, adam_epsilon=1e-3, eval_steps=2,
    early_stopping=None,
)  # fmt: skip


def features(count: int = 13) -> list[Feature]:
    """Prompts of unequal length with one to three outputs."""
    generator = torch.Generator().manual_seed(0)

    def ids(low: int, high: int) -> list[int]:
        length = int(torch.randint(low, high, (), generator=generator))
        return torch.randint(5, 4000, (length,), generator=generator).tolist()

    return [
        Feature(str(i), Encoded.untrained(ids(3, 20)), [ids(1, 6) for _ in range(n)], [1 / n] * n)
        for i in range(count)
        for n in [1 + i % 3]
    ]


QUESTIONS = [
    Example.of([Message(role="user", content=f"How is {number}?")], ["good"], task=task).model_copy(
        update={"choices": ("good", "bad") if task == "mood" else ()}
    )
    for number, task in enumerate(["open", "mood"] * 3 + ["open"])
]


class Stopping(SilentProgress):
    """Ends a run after so many steps, as a crash would, or a signal."""

    def __init__(self, after: int, *, by_signal: bool) -> None:
        self.after, self.by_signal = after, by_signal

    @contextmanager
    def stage(self, name: str, *, total: int | None = None, unit: str = "item", done: int = 0) -> Iterator[Count]:
        bar = Count(name, total, unit, done)
        bar.advance = self.advance
        yield bar

    def advance(self, amount: int = 1, **figures: float) -> None:
        self.after -= amount
        if self.after == 0 and self.by_signal:
            os.kill(os.getpid(), signal.SIGTERM)
        elif self.after == 0:
            raise KeyboardInterrupt


def one_run(
    model: Path,
    folder: Path,
    tuning: str,
    *,
    packed: bool = False,
    ranks: Ranks = ALONE,
    stop_after: int = 0,
    by_signal: bool = False,
) -> None:
    """Train, and leave the tuned weights where the first process writes."""
    settings = TUNINGS[tuning]
    tuned = METHODS[settings.method](load(model)[0], settings, dtype=torch.float32, seed=3)
    if packed:
        tuned.model.set_attn_implementation("shared_prefix")
    data, setting = features(), Setting(CPU, torch.float32, 0, 3, packed=packed, ranks=ranks)
    train(tuned, data, data[:3], SETTINGS, setting, folder, Stopping(stop_after, by_signal=by_signal))
    weights = tuned.state(ranks.is_first)
    if ranks.is_first:
        torch.save(weights, folder / "weights.pt")


def train_all(model: str, place: str) -> None:
    """In each of two processes: all cases, one after the other, since starting takes longer than training."""
    with joined(TWO, CPU) as ranks:
        for strategy, tuning, packed in CASES:
            one_run(Path(model), Path(place, f"{strategy}-{tuning}-{packed}"), tuning, packed=packed,
                    ranks=replace(ranks, strategy=strategy))  # fmt: skip
        for strategy in ("ddp", "fsdp"):
            one_run(Path(model), Path(place, f"{strategy}-whole"), "dropout", ranks=replace(ranks, strategy=strategy))
            stopped = Path(place, f"{strategy}-stopped")
            with suppress(KeyboardInterrupt):
                one_run(Path(model), stopped, "dropout", ranks=replace(ranks, strategy=strategy), stop_after=3)
            one_run(Path(model), stopped, "dropout", ranks=replace(ranks, strategy=strategy))
        go_on_apart(Path(model), Path(place), ranks)
        stop_by_signal(Path(model), Path(place), ranks)
        Path(place, f"metrics-{ranks.rank}").write_text(str(metrics_of(Path(model), ranks)))
        try:
            ranks.require_equal(packed=ranks.is_first, num_train_prompts=13)
        except RunError as error:
            Path(place, f"told-{ranks.rank}").write_text(error.faults[0])


def go_on_apart(model: Path, place: Path, ranks: Ranks) -> None:
    """Each in a folder of its own, as on a disk that the nodes do not share: only the first has a checkpoint."""
    mine = place / f"apart-{ranks.rank}"
    if ranks.is_first:
        shutil.copytree(place / "ddp-stopped", mine)
    try:
        one_run(model, mine, "dropout", ranks=ranks)
    except RunError as error:
        Path(place, f"apart-told-{ranks.rank}").write_text(error.faults[0])


def stop_by_signal(model: Path, place: Path, ranks: Ranks) -> None:
    """The second is sent a signal; the first is slow to write, and meanwhile the second must not leave."""
    folder, save = place / "signalled", loop.save_checkpoint

    def slowly(*args: Any) -> None:
        time.sleep(ranks.is_first)
        save(*args)

    loop.save_checkpoint = slowly
    with suppress(KeyboardInterrupt):
        one_run(model, folder, "dropout", ranks=ranks, stop_after=-1 if ranks.is_first else 1, by_signal=True)
    loop.save_checkpoint = save
    found = sorted(step.name for step in (folder / "checkpoints").glob("step-*"))
    Path(place, f"signalled-{ranks.rank}").write_text(" ".join(found))


def metrics_of(model: Path, ranks: Ranks) -> object:
    """Task metrics of seven questions, and how many of them this process was asked."""
    asked: list[Example] = []

    def share(examples: Sequence[Example]) -> list[Example]:
        asked.extend(ranks.share(examples))
        return ranks.share(examples)

    network, tokenizer = load(model)
    predictor = Predictor("validation", network, template_for(tokenizer), CPU, torch.float32)
    settings = EvalMetrics(metrics=["accuracy", "rouge_l"], max_new_tokens=4)
    data = DataSettings.model_validate({"sources": [{"path": "a"}]})
    validate = validator(predictor, QUESTIONS, settings, data, 5, share, ranks.collect)
    return ranks.of_first(task_metrics(network, validate)), len(asked)


CASES = [
    ("ddp", "full", False), ("ddp", "full", True), ("ddp", "freeze", False), ("ddp", "lora", True),
    ("ddp", "prefix", False), ("fsdp", "full", True), ("fsdp", "freeze", False), ("fsdp", "lora", False),
    ("fsdp", "thin", False),
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tiny_model, tmp_path_factory):
    """Folders of runs, all made by the same two processes."""
    place = tmp_path_factory.mktemp("two")
    launch(TWO, [__file__, "train_all", str(tiny_model), str(place)], "test")
    return place


def logged(folder: Path, name: str) -> list[float]:
    return [line[name] for line in read_metrics(folder / "metrics.jsonl") if name in line]


@pytest.mark.parametrize(("strategy", "tuning", "packed"), CASES)
def test_two_processes_have_the_losses_of_one(tiny_model, tmp_path, trained, strategy, tuning, packed):
    one_run(tiny_model, tmp_path, tuning, packed=packed)
    two = trained / f"{strategy}-{tuning}-{packed}"
    for name in ("train_loss_nats_per_token", "validation_loss_nats_per_token"):
        assert len(logged(two, name)) == (6 if "train" in name else 4)
        assert logged(two, name) == pytest.approx(logged(tmp_path, name), rel=1e-6)
    assert logged(two, "grad_norm") == pytest.approx(logged(tmp_path, "grad_norm"), rel=1e-5)
    for counted in ("num_input_tokens", "num_trained_tokens"):
        assert logged(two, counted) == logged(tmp_path, counted)
    assert_close(torch.load(two / "weights.pt"), torch.load(tmp_path / "weights.pt"), rtol=0, atol=1e-6)


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_stopped_and_gone_on_with_two_processes_are_bit_equal(trained, strategy):
    """With dropout: each process has its own generator, and each gets its own back."""
    whole, stopped = trained / f"{strategy}-whole", trained / f"{strategy}-stopped"
    name = "train_loss_nats_per_token"
    assert logged(stopped, name) == logged(whole, name)
    assert_close(torch.load(stopped / "weights.pt"), torch.load(whole / "weights.pt"), rtol=0, atol=0)
    state = json.loads(next((stopped / "checkpoints").glob("step-*/state.json")).read_text())
    assert state["resumed_at"] == [2]


def test_processes_that_are_about_to_do_different_things_are_told_so(trained):
    told = [(trained / f"told-{rank}").read_text() for rank in (0, 1)]
    assert told == ["the processes of this run differ in packed: 1, 0 (by rank)"] * 2


def test_processes_that_would_go_on_from_different_steps_are_told_so(trained):
    told = [(trained / f"apart-told-{rank}").read_text() for rank in (0, 1)]
    assert told == ["the processes of this run differ in step: 6, 0 (by rank)"] * 2


def test_after_a_signal_none_leaves_before_the_first_has_written_the_checkpoint(trained):
    """When one process ends the launcher ends all, and the first would be cut off."""
    assert [(trained / f"signalled-{rank}").read_text() for rank in (0, 1)] == ["step-00000001"] * 2


def test_a_sample_is_shared_and_its_metrics_are_those_of_one_process(tiny_model, trained):
    alone, number = metrics_of(tiny_model, ALONE)
    assert number == 7
    assert {name: of for name, (_, of) in alone.items()} == {"accuracy": 7, "rouge_l": 4}
    told = [(trained / f"metrics-{rank}").read_text() for rank in (0, 1)]
    assert told == [str((alone, share)) for share in (4, 3)]


def fail(how: str) -> None:
    """In each of two processes: the second one fails while the first waits for it."""
    with joined(TWO, CPU) as ranks:
        if ranks.is_first:
            ranks.wait()
        elif how == "mistake":
            raise RunError("the loss is nan", hint="Lower it.")
        else:
            raise ZeroDivisionError("in the second")


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("mistake", r"^the loss is nan\nLower it\.$"),
        (
            "bug",
            r"process 1 of 2 failed with exit code 1; all others were stopped\n(.*\n)*  Zero\w+: in the second\n"
            r"There is no checkpoint yet to go on from\.$",
        ),
    ],
)
def test_what_one_process_fails_of_is_told_by_the_one_that_started_it(how, told):
    with pytest.raises(RunError, match=told):
        launch(TWO, [__file__, "fail", how], "test")


def test_a_process_ends_with_the_one_that_started_it():
    child = f"import sys; sys.argv = ['', 'stay']; import runpy; runpy.run_path({__file__!r}, run_name='__main__')"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        number = int(process.stdout.readline())
        os.kill(number, 0)
        process.kill()
        assert process.stdout.read() == ""  # until the child has closed it, too


def stay() -> None:
    """Tell the number of this process, and stay for longer than a test may."""
    print(os.getpid(), flush=True)
    time.sleep(600)


def test_alone_nothing_is_sent():
    assert not distributed.is_initialized()
    assert (ALONE.gather(1.5, 2.0), ALONE.any(True), ALONE.collect("x")) == ([(1.5, 2.0)], True, ["x"])
    ALONE.require_equal(packed=True)
    ALONE.wait()


def test_shares_are_all_of_it_once():
    shares = [Ranks(rank, 3).share(range(10)) for rank in range(3)]
    assert sorted(number for share in shares for number in share) == list(range(10))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_fleet_that_cannot_be_had_is_refused(monkeypatch):
    from instructglm.config.distributed import Distributed
    from instructglm.training.distributed.fleet import fleet_of, require_own_start

    assert fleet_of(None, "cuda", 8) == Fleet()
    assert fleet_of(Distributed(), "cuda", 8).world_size == 8
    assert fleet_of(Distributed(processes=2), "cpu", 1).world_size == 2
    with pytest.raises(ConfigError, match="processes is 4; found 2 GPUs"):
        fleet_of(Distributed(processes=4), "cuda", 2)
    with pytest.raises(ConfigError, match=r"found one device \(mps\)"):
        fleet_of(Distributed(processes=2), "mps", 1)
    with pytest.raises(ConfigError, match=r"strategy is fsdp.*found one device \(cpu\)"):
        fleet_of(Distributed(strategy="fsdp"), "cpu", 1)
    with pytest.raises(ConfigError, match="nodes is 2, and node_rank is not set"):
        fleet_of(Distributed(nodes=2), "cpu", 1)
    monkeypatch.setenv("SLURM_NODEID", "1")
    with pytest.raises(ConfigError, match="rendezvous is not set"):
        fleet_of(Distributed(nodes=2), "cpu", 1)
    found = fleet_of(Distributed(nodes=2, rendezvous="first:29500"), "cpu", 1)
    assert found == Fleet("ddp", 1, 2, 1, "first:29500")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    with pytest.raises(ConfigError, match="started by torchrun"):
        require_own_start()


if __name__ == "__main__":
    end_with(os.getppid())
    heed_signals()
    with reported():
        globals()[sys.argv[1]](*sys.argv[2:])
