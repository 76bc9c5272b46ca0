"""Short training runs of the tiny model, with dropout, so that the random state matters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from instructglm.config.training import TrainingSettings
from instructglm.config.tuning import LoraTuning, Tuning
from instructglm.core.progress import SilentProgress
from instructglm.data.features import Feature
from instructglm.data.templates import Encoded
from instructglm.models.loading import load
from instructglm.training.checkpoint import RunState
from instructglm.training.loop import Setting, train
from instructglm.training.metrics_log import read_metrics
from instructglm.training.packing import set_packed
from instructglm.tuning import METHODS, TunedModel

CPU = Setting(torch.device("cpu"), torch.float32, 0, seed=5)
PACKED = Setting(torch.device("cpu"), torch.float32, 0, seed=5, packed=True)
SETTINGS = TrainingSettings(
    num_train_epochs=1, batch_size=4, micro_batch_size=2, learning_rate=1e-3, eval_steps=2, save_steps=2
)
LORA = LoraTuning(rank=4, dropout=0.1)


class Told(SilentProgress):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def features(count: int, seed: int = 1) -> list[Feature]:
    """Prompts of random ids with two outputs each."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda n: torch.randint(5, 4000, (n,), generator=generator).tolist()  # noqa: E731
    return [
        Feature(str(i), Encoded.untrained(draw(3 + i % 7)), [draw(1 + i % 4), draw(2)], [0.5, 0.5])
        for i in range(count)
    ]


def tuned(model_folder: Path, method: Tuning = LORA) -> TunedModel:
    """The tiny model, about to be trained."""
    return METHODS[method.method](load(model_folder)[0], method, dtype=torch.float32, seed=5)


def run(
    model_folder: Path, folder: Path, settings: TrainingSettings = SETTINGS, setting: Setting = CPU, **options: Any
) -> tuple[TunedModel, RunState]:
    """A run; options are `moved`, `data`, `validation`, `progress`, and what `train` takes."""
    moved = options.pop("moved", None) or tuned(model_folder)
    data, validation = options.pop("data", features(24)), options.pop("validation", features(6, seed=2))
    if setting.packed:
        assert set_packed(moved, data, setting.device, setting.dtype, otherwise="eager") is None
    progress = options.pop("progress", SilentProgress())
    return moved, train(moved, data, validation, settings, setting, folder, progress, **options)


def curve(folder: Path, *, without: str = "\n") -> list[dict[str, float]]:
    """Everything in metrics.jsonl that is not a time, without the figures whose name holds `without`."""
    lines = read_metrics(folder / "metrics.jsonl")
    return [{k: v for k, v in line.items() if not k.endswith("_s") and without not in k} for line in lines]
