"""Training speed on the quickstart's data: real tokens per second, padding not counted.

    python benchmarks/train_speed.py [--steps 12] [--repeats 3]

Each row is the median over repeats of a fresh process, because a training
process that shares its cores with another falls to a fraction of its speed,
and because allocators remember.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXPERIMENT = Path(__file__).parents[1] / "examples" / "quickstart.yaml"
VARIANTS = [
    (dtype, attention, micro)
    for dtype in ("bfloat16", "float32")
    for attention, micro in (("sdpa", 8), ("eager", 8), ("eager", 4), ("sdpa", 4))
]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--steps", type=int, default=12)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--one", nargs=3, metavar=("DTYPE", "ATTENTION", "MICRO"), help="measure one, print JSON")
    chosen = arguments.parse_args()
    if chosen.one:
        print(json.dumps(measure(*chosen.one, steps=chosen.steps)))
        return
    print("| dtype | attention | micro-batch | tokens/s (median, min to max) | padded / real |\n|---|---|---|---|---|")
    for variant in VARIANTS:
        runs = [fresh(*map(str, variant), steps=chosen.steps) for _ in range(chosen.repeats)]
        speeds = [run["tokens_per_s"] for run in runs]
        low, high = min(speeds), max(speeds)
        middle = statistics.median(speeds)
        print(f"| {' | '.join(map(str, variant))} | {middle:.0f} ({low:.0f} to {high:.0f}) | {runs[0]['padded']:.2f} |")


def fresh(*variant: str, steps: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--steps", str(steps), "--one", *variant]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def measure(dtype: str, attention: str, micro: str, *, steps: int) -> dict[str, float]:
    """Speed of `steps` optimizer steps after two that warm up."""
    import torch

    from instructglm.config.loading import load_experiment
    from instructglm.core.ledger import Ledger
    from instructglm.core.records import Split
    from instructglm.data.build import build
    from instructglm.data.features import encode_examples
    from instructglm.data.templates import template_for
    from instructglm.models.loading import load
    from instructglm.training.batches import micro_batches
    from instructglm.training.loop import Setting, train
    from instructglm.training.plan import make_plan
    from instructglm.tuning import METHODS

    changes = [f"training.micro_batch_size={micro}", f"training.max_steps={steps + 2}"]
    experiment = load_experiment(EXPERIMENT, changes)
    examples = build(experiment.data, EXPERIMENT.parent).splits[Split.TRAIN]
    model, tokenizer = load("embedded", attn_implementation=attention)
    features = encode_examples(
        examples, template_for(tokenizer), max_length=experiment.data.max_length, overlong="drop", ledger=Ledger()
    )
    chosen = torch.float32 if dtype == "float32" else torch.bfloat16
    tuned = METHODS["lora"](model, experiment.tuning, dtype=chosen, seed=17)
    setting = Setting(torch.device("cpu"), chosen, tokenizer.pad_token_id, 17)
    clock = _Clock()
    with tempfile.TemporaryDirectory() as folder:
        train(tuned, features, [], experiment.training, setting, Path(folder), clock)
    plan = make_plan([feature.num_tokens for feature in features], experiment.training, 17)
    batches = [
        batch
        for step in range(2, steps + 2)
        for batch in micro_batches([features[i] for i in plan.indices(step)], int(micro), 0, packed=False)
    ]
    num_tokens = sum(batch.num_tokens() for batch in batches)
    padded = sum(batch.input_ids.numel() for batch in batches) / num_tokens
    return {"tokens_per_s": num_tokens / (clock.times[-1] - clock.times[1]), "padded": padded}


class _Clock:
    """Progress that notes when each step ended."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def say(self, text: str) -> None:
        pass

    def stage(self, name: str, **_: object) -> _Clock:
        return self

    def __enter__(self) -> _Clock:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def advance(self, amount: int = 1, **_: float) -> None:
        self.times.append(time.perf_counter())


if __name__ == "__main__":
    main()
