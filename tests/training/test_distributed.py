"""Two processes train as one does: for real, on gloo, started as `instructglm train` starts them."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from instructglm.config.training import TrainingSettings
from instructglm.config.tuning import FreezeTuning, FullTuning, LoraTuning, PrefixTuning
from instructglm.core.progress import SilentProgress
from instructglm.data.features import Feature
from instructglm.data.templates import Encoded
from instructglm.models.loading import load
from instructglm.training.distributed.failures import reported
from instructglm.training.distributed.fleet import Fleet
from instructglm.training.distributed.launch import launch
from instructglm.training.distributed.process import heed_signals, joined
from instructglm.training.distributed.ranks import ALONE, Ranks
from instructglm.training.loop import Setting, train
from instructglm.training.metrics_log import read_metrics
from instructglm.tuning import METHODS

CPU = torch.device("cpu")
METHOD_SETTINGS = {
    "full": FullTuning(method="full"),
    "freeze": FreezeTuning(method="freeze", num_layers=1, train_head=True),
    "lora": LoraTuning(rank=4),
    "prefix": PrefixTuning(method="prefix", num_virtual_tokens=4),
}


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


# 13 prompts, 6 a step: the last batch of an epoch is one prompt, and one process has nothing to do.
SETTINGS = TrainingSettings(
    num_train_epochs=2, batch_size=6, micro_batch_size=2, learning_rate=1e-3, adam_epsilon=1e-3, eval_steps=2,
    early_stopping=None,
)  # fmt: skip


def one_run(model: Path, folder: Path, method: str, *, packed: bool, ranks: Ranks = ALONE) -> None:
    """Train, and leave the tuned weights where the first process writes."""
    tuned = METHODS[method](load(model)[0], METHOD_SETTINGS[method], dtype=torch.float32, seed=3)
    if packed and not tuned.against_packing:
        tuned.model.set_attn_implementation("shared_prefix")
    setting = Setting(CPU, torch.float32, 0, 3, packed and not tuned.against_packing, ranks)
    data = features()
    train(tuned, data, data[:3], SETTINGS, setting, folder, SilentProgress())
    weights = tuned.state(ranks.is_first)
    if ranks.is_first:
        torch.save(weights, folder / "weights.pt")


def child(cases: str) -> None:
    """All cases, one after the other: starting a process takes longer than training in it."""
    heed_signals()
    with reported(), joined(Fleet(processes=2), CPU) as ranks:
        for case in json.loads(cases):
            one_run(Path(case["model"]), Path(case["folder"]), case["method"], packed=case["packed"],
                    ranks=replace(ranks, strategy=case["strategy"]))  # fmt: skip


CASES = [
    ("ddp", "full"), ("ddp", "freeze"), ("ddp", "lora"), ("ddp", "prefix"),
    ("fsdp", "full"), ("fsdp", "freeze"), ("fsdp", "lora"),
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tiny_model, tmp_path_factory):
    """Folder of a run, by strategy, method and packing, all made by two processes."""
    place = tmp_path_factory.mktemp("two")
    cases = [
        {"model": str(tiny_model), "folder": str(place / f"{strategy}-{method}-{packed}"), "method": method,
         "packed": packed, "strategy": strategy}
        for strategy, method in CASES
        for packed in (False, True)
    ]  # fmt: skip
    launch(Fleet(processes=2), [__file__, "child", json.dumps(cases)], "test")
    return place


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize(("strategy", "method"), CASES)
def test_two_processes_have_the_losses_of_one(tiny_model, tmp_path, trained, strategy, method, packed):
    one_run(tiny_model, tmp_path, method, packed=packed)
    two = trained / f"{strategy}-{method}-{packed}"
    for name in ("train_loss_nats_per_token", "validation_loss_nats_per_token", "grad_norm"):
        expected, found = (
            [line[name] for line in read_metrics(at / "metrics.jsonl") if name in line] for at in (tmp_path, two)
        )
        assert found == pytest.approx(expected, rel=1e-5 if name == "grad_norm" else 1e-6)
        assert len(found) >= 3
    assert_close(torch.load(two / "weights.pt"), torch.load(tmp_path / "weights.pt"), rtol=0, atol=1e-5)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
