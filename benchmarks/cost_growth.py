"""How the cost of training grows with the outputs of a prompt and with the length of a sequence.

    python benchmarks/cost_growth.py [--dtype bfloat16] [--outputs 1 2 4 8] [--lengths 128 512 2048] [--repeats 3]

Random tokens; a sequence is a prompt and one of its outputs, half and half. Every step reads about `--tokens` tokens as
copies of prompts have them, packed and padded (no sequence is shorter than another here, so nothing is padded: what is
left is what is read once). LoRA of rank 8 on all linear layers of the embedded model. Every figure is the median over
fresh processes, each of 3 steps after one.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import statistics
import subprocess
import sys
import time

STEPS, WARM_UP = 3, 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--outputs", nargs="+", type=int, default=[1, 2, 4, 8])
    parser.add_argument("--lengths", nargs="+", type=int, default=[128, 256, 512, 1024, 2048])
    parser.add_argument("--at", type=int, default=512, help="the length at which outputs are varied")
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", nargs=3, metavar=("KIND", "OUTPUTS", "LENGTH"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        kind, num_outputs, length = given.one
        print(json.dumps(measure(kind == "packed", int(num_outputs), int(length), given)))
        return
    shapes = dict.fromkeys([*((k, given.at) for k in given.outputs), *((1, length) for length in given.lengths)])
    print("| outputs | tokens a sequence | | tokens/s (min to max) | trained tokens/s | peak, MiB |")
    print("|---|---|---|---|---|---|")
    for (num_outputs, length), kind in itertools.product(shapes, ("packed", "padded")):
        command = [sys.executable, *sys.argv, "--one", kind, str(num_outputs), str(length)]
        runs = [json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1])
                for _ in range(given.repeats)]  # fmt: skip
        middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        low, high = (bound(run["tokens_per_s"] for run in runs) for bound in (min, max))
        speed = f"{middle['tokens_per_s']:.0f} ({low:.0f} to {high:.0f})"
        others = f"{middle['trained_per_s']:.0f} | {middle['peak_mib']:.0f}"
        print(f"| {num_outputs} | {length} | {kind} | {speed} | {others} |", flush=True)


def measure(packed: bool, num_outputs: int, length: int, given: argparse.Namespace) -> dict[str, float]:
    import torch

    from instructglm.config.tuning import LoraTuning
    from instructglm.models.loading import load
    from instructglm.training.batches import micro_batches
    from instructglm.training.loss import arithmetic, weighted_count, weighted_nats
    from instructglm.tuning import METHODS

    dtype = getattr(torch, given.dtype)
    attention = "shared_prefix" if packed else "eager" if given.dtype == "bfloat16" else "sdpa"
    model, _ = load("embedded", attn_implementation=attention)
    tuned = METHODS["lora"](model, LoraTuning(), dtype=dtype, seed=1)
    tuned.model.train()
    optimizer = torch.optim.AdamW(tuned.trainable().values(), lr=1e-4, fused=True)
    num_prompts = max(1, given.tokens // (num_outputs * length))
    seconds = 0.0
    for step in range(STEPS + WARM_UP):
        features = [made(num_outputs, length, seed=step * num_prompts + number) for number in range(num_prompts)]
        started = time.perf_counter()
        batches = micro_batches(features, 8, 0, packed=packed)
        total = weighted_count(batches)
        for batch in batches:
            with arithmetic(torch.device("cpu"), dtype):
                nats = weighted_nats(tuned.model, batch) / total
            nats.backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds += (time.perf_counter() - started) * (step >= WARM_UP)
    sequences = STEPS * num_prompts * num_outputs
    return {
        "tokens_per_s": sequences * length / seconds,
        "trained_per_s": sequences * (length - length // 2) / seconds,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def made(num_outputs: int, length: int, *, seed: int):
    import random

    from instructglm.data.features import Feature
    from instructglm.data.templates import Encoded

    draw = random.Random(seed)
    ids = [[draw.randrange(100, 40_000) for _ in range(length // 2)] for _ in range(num_outputs + 1)]
    outputs = [[*output, 5] if length % 2 else output for output in ids[1:]]
    return Feature(str(seed), Encoded.untrained(ids[0]), outputs, [1.0] * num_outputs)


if __name__ == "__main__":
    main()
