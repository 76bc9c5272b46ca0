"""Where the time of a packed training step goes, and what share of the machine's matrix products it reaches.

    python benchmarks/step_profile.py --data dolly_3k.jsonl --dtype bfloat16 [--micro 4] [--compile]

The steps of `packing.py`: the same records, model, method and optimizer. Floating-point operations are counted by torch
in one step (two for every multiplication with its addition, matrix products alone), the same step is timed without
anything watching it, and its operators are then timed apart. The peak is the fastest of some square matrix products of
the dtype on all threads; beside it stands what a product of the model's own largest shape reaches.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import packing

FAMILIES = {
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::_scaled_dot_product"),
    "softmax": ("aten::_softmax",),
    "copies and casts": ("aten::copy_", "aten::cat", "aten::index_select", "aten::clone"),
    "optimizer": ("Optimizer", "aten::_fused_adam"),
    "normalisation": ("aten::rsqrt", "aten::mean", "aten::pow"),
    "dropout": ("aten::bernoulli", "aten::native_dropout"),
    "products, sums and activations by element": ("aten::mul", "aten::add", "aten::silu", "aten::neg", "aten::sum"),
    "loss": ("aten::_log_softmax", "aten::logsumexp", "aten::exp", "aten::sub"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--outputs", type=int, default=1)
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--batch", type=int, default=8, help="sequences an optimizer step")
    parser.add_argument("--micro", type=int, help="sequences a forward pass, all of a step by default")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    given.micro, given.steps = given.micro or given.batch, 1
    step, tokens = made_step(given)
    step()
    seconds = statistics.median(timed(step) for _ in range(given.repeats))
    flops = counted(step)
    print(f"{tokens} tokens a step, {seconds:.2f} s, {tokens / seconds:.0f} tokens/s")
    for name, peak in peaks(given.dtype).items():
        print(f"{flops / 1e9:.0f} GFLOP a step, {flops / seconds / 1e9:.0f} GFLOP/s: {flops / seconds / peak:.1%} of "
              f"{peak / 1e9:.0f} GFLOP/s ({name})")  # fmt: skip
    table(step)


def made_step(given: argparse.Namespace) -> tuple[Callable[[], None], int]:
    import torch

    from instructglm.training.batches import micro_batches
    from instructglm.training.loss import arithmetic, weighted_count, weighted_nats

    tuned = packing.opened(given, packed=True)
    tuned.model.train()
    optimizer = torch.optim.AdamW(tuned.trainable().values(), lr=1e-4, fused=True)
    chosen = packing.read_features(given)[: given.batch // given.outputs]

    def step() -> None:
        batches = micro_batches(chosen, given.micro, 0, packed=True)
        total = weighted_count(batches)
        for batch in batches:
            with arithmetic(torch.device("cpu"), getattr(torch, given.dtype)):
                nats = weighted_nats(tuned.model, batch) / total
            nats.backward()
        torch.nn.utils.clip_grad_norm_(tuned.trainable().values(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step, sum(feature.num_tokens for feature in chosen)


def timed(step: Callable[[], None]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def counted(step: Callable[[], None]) -> int:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


def peaks(dtype: str) -> dict[str, float]:
    """Floating-point operations a second of single products."""
    shapes = {
        "a square product of 4096": (4096, 4096, 4096),
        "the model's gate on 1024 tokens": (1024, 576, 1536),
    }
    return {name: peak_of(shape, dtype) for name, shape in shapes.items()}


def peak_of(shape: tuple[int, int, int], dtype: str) -> float:
    import torch

    rows, inner, columns = shape
    left = torch.randn(rows, inner).to(getattr(torch, dtype))
    right = torch.randn(inner, columns).to(getattr(torch, dtype))
    operations = 2 * rows * inner * columns
    repeats = max(3, int(2e11 / operations))
    return operations / min(timed(lambda: left @ right) for _ in range(repeats))


def table(step: Callable[[], None]) -> None:
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as watched:
        step()
    spent: dict[str, float] = {}
    for event in watched.key_averages():
        family = family_of(event)
        spent[family] = spent.get(family, 0.0) + event.self_cpu_time_total
    whole = sum(spent.values())
    print("\n| | share of the step |\n|---|---|")
    for family, microseconds in sorted(spent.items(), key=lambda pair: -pair[1]):
        print(f"| {family} | {microseconds / whole:.1%} |")


def family_of(event: Any) -> str:
    for family, starts in FAMILIES.items():
        if event.key.startswith(starts):
            return family
    return "other"


if __name__ == "__main__":
    main()
