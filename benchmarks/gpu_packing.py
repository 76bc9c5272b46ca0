"""ChatGLM-6B at its full size on an accelerator: LoRA on packed rows, next to transformers' Trainer on padded ones.

    python benchmarks/gpu_packing.py --folder /some/disk [--repeats 3]
    python benchmarks/gpu_packing.py --folder /tmp/tiny --tiny --device cpu   # whether the script itself works

Random weights (12.3 GB in bfloat16, written into the folder unless they are there), LoRA of rank 8 on query_key_value.
A step reads sequences of mixed lengths (log-normal, about 256 tokens, at most 1,024) up to 2,048 tokens: a packed row,
or one padded batch. Each variant runs in a fresh process, the variants in turn. FLOPs are 4 a weight and real token,
since frozen weights have no gradient and recomputed activations do not count; the peak they are compared with is that
of a bfloat16 product of 8192 x 8192 matrices, measured in the same run.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from chatglm_full_size import write_checkpoint

VARIANTS = ("packed", "packed-recomputed", "trainer", "trainer-recomputed")
ROW, WARM_UP = 2048, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--one", choices=VARIANTS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        run = packed if given.one.startswith("packed") else trainer
        print(json.dumps(run(given, recomputed=given.one.endswith("recomputed"))))
        return
    if not (given.folder / "config.json").exists():
        write_tiny(given.folder) if given.tiny else write_checkpoint(given.folder)
    found: dict[str, list[dict[str, float]]] = {variant: [] for variant in given.variants}
    for _ in range(given.repeats):
        for variant, runs in found.items():
            command = [sys.executable, *sys.argv, "--one", variant]
            runs.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1]))
            print(variant, runs[-1], file=sys.stderr, flush=True)
    report(found, matmul_flops(torch.device(given.device), 512 if given.tiny else 8192))


def report(found: dict[str, list[dict[str, float]]], peak_flops: float) -> None:
    print(f"Peak of a bfloat16 product: {peak_flops / 1e12:.1f} TFLOP/s\n")
    print("| variant | real tokens/s (min to max) | model FLOPs utilisation | peak memory, GiB | first loss |")
    print("|---|---|---|---|---|")
    for variant, runs in found.items():
        middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        low, high = (bound(run["tokens_per_s"] for run in runs) for bound in (min, max))
        used = 4 * middle["weights"] * middle["tokens_per_s"] / peak_flops
        speed = f"{middle['tokens_per_s']:.0f} ({low:.0f} to {high:.0f})"
        print(f"| {variant} | {speed} | {used:.1%} | {middle['peak_gib']:.1f} | {middle['first_loss']:.4f} |")


def write_tiny(folder: Path) -> None:
    from instructglm.models.chatglm.configuration import ChatGLMConfig
    from instructglm.models.chatglm.modeling import ChatGLMForCausalLM

    config = ChatGLMConfig(hidden_size=64, inner_hidden_size=128, num_layers=2, num_attention_heads=4)
    ChatGLMForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)


def matmul_flops(device: torch.device, size: int) -> float:
    """The most that the device does in a product of square matrices, FLOP/s."""
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    best = float("inf")
    for _ in range(20):
        wait(device)
        started = time.perf_counter()
        left @ right
        wait(device)
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def steps(given: argparse.Namespace) -> list[list[Any]]:
    """The sequences of every step, as prompts with one output each."""
    from instructglm.data.features import Feature
    from instructglm.data.templates import Encoded

    draw = random.Random(0)
    found: list[list[Any]] = []
    for _ in range(given.steps + WARM_UP):
        step: list[Any] = []
        room = ROW
        while (length := min(1024, max(16, int(draw.lognormvariate(5.3, 0.7))))) <= room:
            context, output = (
                [draw.randrange(100, 60_000) for _ in range(part)] for part in (length // 2, length // 2)
            )
            context[-2:] = [130001, 130004]  # [gMASK] and <sop>
            step.append(Feature(str(len(step)), Encoded.untrained(context), [output], [1.0]))
            room -= 2 * (length // 2)
        found.append(step)
    return found


def packed(given: argparse.Namespace, *, recomputed: bool) -> dict[str, float]:
    from instructglm.config.tuning import LoraTuning
    from instructglm.models import load
    from instructglm.training.batches import pack
    from instructglm.training.loss import arithmetic, weighted_count, weighted_nats
    from instructglm.tuning import METHODS

    device = torch.device(given.device)
    model, _ = load(given.folder, attn_implementation="shared_prefix")
    lora = LoraTuning(targets=["query_key_value"])
    tuned = METHODS["lora"](model.to(device), lora, dtype=torch.bfloat16, seed=1)
    if recomputed:
        tuned.checkpoint_gradients()
    tuned.model.train()
    optimizer = torch.optim.AdamW(tuned.trainable().values(), lr=1e-4, fused=True)
    times, first = [], 0.0
    for step in steps(given):
        wait(device)
        started = time.perf_counter()
        batch = pack(step).to(device)
        with arithmetic(device, torch.bfloat16):
            loss = weighted_nats(tuned.model, batch) / weighted_count([batch])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        wait(device)
        times.append(time.perf_counter() - started)
        first = first or loss.item()
    return figures(given, sum(times[WARM_UP:]), tuned.num_parameters(), first)


def trainer(given: argparse.Namespace, *, recomputed: bool) -> dict[str, float]:
    """The native model in bfloat16 under transformers' Trainer with PEFT, a step's sequences padded to the longest."""
    from peft import LoraConfig, get_peft_model
    from torch.utils.data import DataLoader
    from transformers import Trainer, TrainerCallback, TrainingArguments

    from instructglm.models import load

    class Clock(TrainerCallback):
        def __init__(self) -> None:
            self.times: list[float] = []

        def on_step_end(self, *_: Any, **__: Any) -> None:
            wait(device)
            self.times.append(time.perf_counter())

    class Batched(Trainer):
        def get_train_dataloader(self) -> Any:
            return self.accelerator.prepare(DataLoader([padded(step) for step in steps(given)], batch_size=None))

    device, clock = torch.device(given.device), Clock()
    model, _ = load(given.folder, dtype="bfloat16", attn_implementation="sdpa")
    model.enable_input_require_grads()
    adapted = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=["query_key_value"]))
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, max_steps=given.steps + WARM_UP, learning_rate=1e-4, lr_scheduler_type="constant", bf16=True,
            gradient_checkpointing=recomputed, logging_steps=1, save_strategy="no", report_to="none",
            disable_tqdm=True, optim="adamw_torch_fused", use_cpu=device.type == "cpu", remove_unused_columns=False,
        )  # fmt: skip
        run = Batched(adapted, arguments, train_dataset=[0], callbacks=[clock])
        run.train()
    first = next(line["loss"] for line in run.state.log_history if "loss" in line)
    weights = sum(weight.numel() for weight in model.parameters())
    return figures(given, clock.times[-1] - clock.times[WARM_UP - 1], weights, float(first))


def padded(step: list[Any]) -> dict[str, torch.Tensor]:
    rows = [encoded for feature in step for encoded, _ in feature.sequences()]
    width = max(len(row.input_ids) for row in rows)
    return {
        "input_ids": torch.tensor([[3] * (width - len(row.input_ids)) + row.input_ids for row in rows]),
        "labels": torch.tensor([[-100] * (width - len(row.input_ids)) + row.labels for row in rows]),
        "attention_mask": torch.tensor(
            [[0] * (width - len(row.input_ids)) + [1] * len(row.input_ids) for row in rows]
        ),
    }  # fmt: skip


def figures(given: argparse.Namespace, seconds: float, weights: int, first_loss: float) -> dict[str, float]:
    tokens = sum(len(one.context.input_ids) + len(one.outputs[0]) for step in steps(given)[WARM_UP:] for one in step)
    on_cpu = given.device == "cpu"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 if on_cpu else torch.cuda.max_memory_allocated()
    return {"tokens_per_s": tokens / seconds, "weights": weights, "peak_gib": peak / 2**30, "first_loss": first_loss}


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
