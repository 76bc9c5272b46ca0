"""Training speed and memory: packed rows against padded ones, and against transformers' Trainer with PEFT.

    python benchmarks/packing.py --data dolly_3k.jsonl --repeats 3 --dtype bfloat16

Every variant runs in a fresh process, the variants in turn. All train LoRA of rank 8 on all linear layers of the
embedded model, on the same encoded records, with the same optimizer. `--data` is a JSON lines file (instruction, input,
output), or a natural-instructions task, of which the instances with `--outputs` different outputs are taken.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

VARIANTS = ("packed", "padded", "trainer-grouped", "trainer-random")
WARM_UP = 2  # steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--outputs", type=int, default=1, help="outputs of a prompt")
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--steps", type=int, default=8, help="timed optimizer steps")
    parser.add_argument("--batch", type=int, default=8, help="sequences an optimizer step and a forward pass")
    parser.add_argument("--compile", action="store_true", help="our variants with layers compiled")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--one", choices=VARIANTS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one, given)))
        return
    found: dict[str, list[dict[str, float]]] = {variant: [] for variant in given.variants}
    for _ in range(given.repeats):
        for variant, runs in found.items():
            command = [sys.executable, *sys.argv, "--one", variant]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            runs.append(json.loads(output.splitlines()[-1]))
            print(variant, runs[-1], file=sys.stderr, flush=True)
    print("| variant | real tokens/s (min to max) | trained tokens/s | peak memory, MiB | loss of the first step |")
    print("|---|---|---|---|---|")
    for variant, runs in found.items():
        middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        low, high = (bound(run["tokens_per_s"] for run in runs) for bound in (min, max))
        print(
            f"| {variant} | {middle['tokens_per_s']:.0f} ({low:.0f} to {high:.0f}) | {middle['trained_per_s']:.0f} "
            f"| {middle['peak_mib']:.0f} | {middle['first_loss']:.4f} |"
        )


def measure(variant: str, given: argparse.Namespace) -> dict[str, float]:
    """One variant in this process."""
    features = read_features(given.data, given.outputs, (given.steps + WARM_UP) * given.batch // given.outputs)
    run = trainer if variant.startswith("trainer") else ours
    return run(variant, features, given) | {"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def read_features(path: Path, num_outputs: int, count: int) -> list[Any]:
    """The first `count` records as our data stage encodes them, in a random but fixed order."""
    import random

    from instructglm.core.ledger import Ledger
    from instructglm.data.features import encode_examples
    from instructglm.data.templates import template_for
    from instructglm.models.loading import load_tokenizer

    template = template_for(load_tokenizer("embedded"))
    examples = [one for one in read_examples(path) if len(one.outputs) >= num_outputs]
    random.Random(0).shuffle(examples)
    examples = [one.model_copy(update={"outputs": one.outputs[:num_outputs]}) for one in examples]
    features = encode_examples(examples, template, max_length=512, overlong="drop", ledger=Ledger())
    return (features * (1 + count // len(features)))[:count]


def read_examples(path: Path) -> list[Any]:
    from instructglm.core.records import Example, Message

    def example(instruction: str, text: str, outputs: list[str]) -> Example:
        return Example.of([Message(role="user", content=f"{instruction}\n{text}".strip())], outputs)

    content = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in content.splitlines()[:512]]
        return [example(row["instruction"], row["input"], [row["output"]]) for row in rows]
    task = json.loads(content)
    definition = task["Definition"]
    instruction = definition if isinstance(definition, str) else definition[0]
    return [example(instruction, row["input"], list(dict.fromkeys(row["output"]))) for row in task["Instances"]]


def ours(variant: str, features: list[Any], given: argparse.Namespace) -> dict[str, float]:
    import torch

    from instructglm.config.tuning import LoraTuning
    from instructglm.models.loading import load
    from instructglm.training.batches import micro_batches
    from instructglm.training.compilation import compile_layers
    from instructglm.training.loop import Setting
    from instructglm.training.loss import arithmetic, weighted_count, weighted_nats
    from instructglm.tuning import METHODS

    packed, dtype = variant == "packed", getattr(torch, given.dtype)
    # padded at its best: what the program itself takes where it does not pack
    attention = "shared_prefix" if packed else "eager" if given.dtype == "bfloat16" else "sdpa"
    model, _ = load("embedded", attn_implementation=attention)
    tuned = METHODS["lora"](model, LoraTuning(), dtype=dtype, seed=1)
    if given.compile:
        compile_layers(tuned, features, Setting(torch.device("cpu"), dtype, 0, 1, packed))
    tuned.model.train()
    optimizer = torch.optim.AdamW(tuned.trainable().values(), lr=1e-4, fused=True)
    prompts = given.batch // given.outputs
    tokens = trained = seconds = first = 0.0
    for step in range(given.steps + WARM_UP):
        chosen = features[step * prompts : (step + 1) * prompts]
        started = time.perf_counter()
        batches = micro_batches(chosen, given.batch, 0, packed=packed)
        total, loss = weighted_count(batches), 0.0
        for batch in batches:
            with arithmetic(torch.device("cpu"), dtype):
                nats = weighted_nats(tuned.model, batch) / total
            nats.backward()
            loss += nats.item()
        optimizer.step()
        optimizer.zero_grad()
        first = first or loss
        if step >= WARM_UP:
            seconds += time.perf_counter() - started
            tokens += num_tokens(chosen)
            trained += sum(batch.num_trained() for batch in batches)
    return {"tokens_per_s": tokens / seconds, "trained_per_s": trained / seconds, "first_loss": first}


def num_tokens(features: list[Any]) -> int:
    """As copies have them: every output with its prompt."""
    return sum(len(encoded.input_ids) for feature in features for encoded, _ in feature.sequences())


def trainer(variant: str, features: list[Any], given: argparse.Namespace) -> dict[str, float]:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import DataCollatorForSeq2Seq, Trainer, TrainerCallback, TrainingArguments

    from instructglm.models.loading import load

    class Clock(TrainerCallback):
        """Notes when steps end."""

        times: list[float]

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.times = []

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.times.append(time.perf_counter())

    class Counting(DataCollatorForSeq2Seq):
        """Notes what each batch holds."""

        counts: list[tuple[int, int]]

        def __call__(self, rows: Any, return_tensors: Any = None) -> Any:
            kept = [{key: row[key] for key in ("input_ids", "labels")} for row in rows]
            batch = super().__call__(kept, return_tensors)
            self.counts.append((int(batch["attention_mask"].sum()), int((batch["labels"] != -100).sum())))
            return batch

    model, tokenizer = load("embedded", attn_implementation="sdpa")
    model.float()
    adapted = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"))
    rows = [
        {"input_ids": encoded.input_ids, "labels": encoded.labels, "length": len(encoded.input_ids)}
        for feature in features
        for encoded, _ in feature.sequences()
    ]
    collator, clock = Counting(tokenizer), Clock()
    collator.counts = []
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, per_device_train_batch_size=given.batch, num_train_epochs=1, learning_rate=1e-4, use_cpu=True,
            bf16=given.dtype == "bfloat16", logging_steps=1, save_strategy="no", report_to="none", seed=0,
            disable_tqdm=True, dataloader_num_workers=0, remove_unused_columns=False, optim="adamw_torch_fused",
            train_sampling_strategy="group_by_length" if variant == "trainer-grouped" else "random",
        )  # fmt: skip
        run = Trainer(adapted, arguments, train_dataset=rows, data_collator=collator, callbacks=[clock])
        run.train()
    seconds = clock.times[-1] - clock.times[WARM_UP - 1]
    timed = collator.counts[WARM_UP : len(clock.times)]
    losses = [line["loss"] for line in run.state.log_history if "loss" in line]
    assert torch.get_num_threads() == int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads()))
    return {
        "tokens_per_s": sum(tokens for tokens, _ in timed) / seconds,
        "trained_per_s": sum(trained for _, trained in timed) / seconds,
        "first_loss": float(losses[0]),
    }


if __name__ == "__main__":
    main()
