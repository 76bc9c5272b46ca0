"""How fast an epoch is cut into steps of tokens, how full they are, and what memory it takes, from 1k to 1M examples.

    python benchmarks/packer.py --data dolly_3k.jsonl --budgets 512 2048 16384

Lengths are those of the records in `--data` (JSON lines with instruction, input, output) by the embedded model's
template, drawn with replacement; without it, log-normal ones like them. Memory is the most that cutting an epoch had
allocated at once, beside the list of lengths (4 bytes an example) that it was given.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np

COUNTS = (1_000, 10_000, 100_000, 1_000_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--budgets", type=int, nargs="+", default=[512, 2048, 16_384], help="tokens of a step")
    parser.add_argument("--counts", type=int, nargs="+", default=list(COUNTS), help="examples")
    given = parser.parse_args()
    lengths = real_lengths(given.data, given.max_length) if given.data else likely_lengths(given.max_length)
    table(lengths, given.counts, given.budgets)


def real_lengths(path: Path, max_length: int) -> Any:
    from instructglm.core.ledger import Ledger
    from instructglm.core.records import Example, Message
    from instructglm.data.features import encode_examples
    from instructglm.data.templates import template_for
    from instructglm.models.loading import load_tokenizer

    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    examples = [
        Example.of([Message(role="user", content=f"{row['instruction']}\n{row['input']}".strip())], [row["output"]])
        for row in rows
    ]
    template = template_for(load_tokenizer("embedded"))
    features = encode_examples(examples, template, max_length=max_length, overlong="drop", ledger=Ledger())
    return np.array([feature.num_tokens for feature in features], dtype=np.int32)


def likely_lengths(max_length: int) -> Any:
    return np.random.default_rng(0).lognormal(5, 0.8, 100_000).clip(8, max_length).astype(np.int32)


def table(lengths: Any, counts: list[int], budgets: list[int]) -> None:
    print(f"{len(lengths)} lengths: mean {lengths.mean():.0f}, longest {lengths.max()}", file=sys.stderr)
    print("| examples | tokens a step | steps | full | examples/s | peak memory, MiB | bytes an example |")
    print("|---|---|---|---|---|---|---|")
    for budget in budgets:
        for count in counts:
            found = measure(np.random.default_rng(1).choice(lengths, count), budget)
            print(
                f"| {count:,} | {budget:,} | {found['steps']:,} | {found['full']:.2%} | {found['per_s']:,.0f} "
                f"| {found['peak'] / 2**20:.2f} | {found['peak'] / count:.1f} |",
                flush=True,
            )


def measure(lengths: Any, budget: int) -> dict[str, float]:
    """One epoch: cut and timed; then cut again, its memory traced, and streamed step by step."""
    from instructglm.training.token_steps import cut_by_tokens

    started = time.perf_counter()
    cut_by_tokens(lengths, budget, np.random.default_rng(2))
    seconds = time.perf_counter() - started
    tracemalloc.start()
    steps = cut_by_tokens(lengths, budget, np.random.default_rng(2))
    num_read = sum(len(steps[step]) for step in range(len(steps)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert num_read == len(lengths)
    full = float(lengths.sum(dtype=np.int64)) / (budget * len(steps))
    return {"steps": len(steps), "full": full, "per_s": len(lengths) / seconds, "peak": peak}


if __name__ == "__main__":
    main()
