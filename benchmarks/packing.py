"""Training speed and memory: packed rows against padded ones, transformers' Trainer with PEFT, and TRL.

    python benchmarks/packing.py --data dolly_3k.jsonl --repeats 3 --dtype bfloat16 --peers peers/bin/python

Every variant runs in a fresh process, the variants in turn. All train LoRA of rank 8 on all linear layers of the
embedded model, on the same encoded records, with the same optimizer and rate. `--data` is a JSON lines file
(instruction, input, output), or a natural-instructions task, of which the instances with `--outputs` different outputs
are taken. Real tokens are those of the sequences, each with its prompt; padding does not count, and what a packed row
reads once counts as often as copies have it.

`program` is the training command's own loop, `packed` its arithmetic alone, `padded` the same without packing.
`peers.py` says what the others are, and how to make their environment.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

OURS = ("packed", "program", "padded")
PEERS = ("trainer-random", "trainer-grouped", "trl", "trl-kept", "trl-packing")
VARIANTS = (*OURS, *PEERS)
WARM_UP = 2  # steps
MAX_LENGTH = 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--outputs", type=int, default=1, help="outputs of a prompt")
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--steps", type=int, default=8, help="timed optimizer steps")
    parser.add_argument("--batch", type=int, default=8, help="sequences an optimizer step")
    parser.add_argument("--micro", type=int, help="sequences a forward pass, all of a step by default")
    parser.add_argument("--compile", action="store_true", help="our variants with layers compiled")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peers", default=sys.executable, help="the Python that has the other frameworks")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--one", choices=OURS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.micro = given.micro or given.batch
    if given.one:
        print(json.dumps(measure(given.one, given)))
        return
    with tempfile.TemporaryDirectory() as folder:
        commands = {variant: command_of(variant, given, Path(folder)) for variant in given.variants}
        report(runs_of(commands, given.repeats))


def command_of(variant: str, given: argparse.Namespace, folder: Path) -> list[str]:
    if variant in OURS:
        return [sys.executable, *sys.argv, "--one", variant]
    from instructglm.models.embedded import embedded_folder

    rows = folder / "rows.jsonl"
    if not rows.exists():
        rows.write_text("".join(f"{json.dumps(row)}\n" for row in sequences(read_features(given))))
    script = str(Path(__file__).with_name("peers.py"))
    settings = ["--model", str(embedded_folder()), "--rows", str(rows), "--dtype", given.dtype]
    return [given.peers, script, variant, *settings, "--batch", str(given.batch), "--micro", str(given.micro)]


def runs_of(commands: dict[str, list[str]], repeats: int) -> dict[str, list[dict[str, float]]]:
    found: dict[str, list[dict[str, float]]] = {variant: [] for variant in commands}
    for _ in range(repeats):
        for variant, command in commands.items():
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            found[variant].append(json.loads(output.splitlines()[-1]))
            print(variant, found[variant][-1], file=sys.stderr, flush=True)
    return found


def report(found: dict[str, list[dict[str, float]]]) -> None:
    print("| variant | real tokens/s (min to max) | trained tokens/s | tokens a sequence | peak, MiB | first loss |")
    print("|---|---|---|---|---|---|")
    for variant, runs in found.items():
        middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        low, high = (bound(run["tokens_per_s"] for run in runs) for bound in (min, max))
        print(
            f"| {variant} | {middle['tokens_per_s']:.0f} ({low:.0f} to {high:.0f}) | {middle['trained_per_s']:.0f} "
            f"| {middle['tokens_per_sequence']:.0f} | {middle['peak_mib']:.0f} | {middle['first_loss']:.4f} |"
        )


def measure(variant: str, given: argparse.Namespace) -> dict[str, float]:
    """One of our variants in this process."""
    features = read_features(given)
    found = program(features, given) if variant == "program" else bare_loop(variant, features, given)
    return found | {"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def read_features(given: argparse.Namespace) -> list[Any]:
    """As many of the first records as the steps take, as our data stage encodes them, in a random but fixed order."""
    import random

    from instructglm.core.ledger import Ledger
    from instructglm.data.features import encode_examples
    from instructglm.data.templates import template_for
    from instructglm.models.loading import load_tokenizer

    count = (given.steps + WARM_UP) * given.batch // given.outputs
    template = template_for(load_tokenizer("embedded"))
    examples = [one for one in read_examples(given.data) if len(one.outputs) >= given.outputs]
    random.Random(0).shuffle(examples)
    examples = [one.model_copy(update={"outputs": one.outputs[: given.outputs]}) for one in examples]
    features = encode_examples(examples, template, max_length=MAX_LENGTH, overlong="drop", ledger=Ledger())
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


def sequences(features: list[Any]) -> list[dict[str, list[int]]]:
    """Every output with a copy of its prompt."""
    return [
        {"input_ids": encoded.input_ids, "labels": encoded.labels}
        for feature in features
        for encoded, _ in feature.sequences()
    ]


def opened(given: argparse.Namespace, *, packed: bool) -> Any:
    import torch

    from instructglm.config.tuning import LoraTuning
    from instructglm.models.loading import load
    from instructglm.tuning import METHODS

    # padded at its best: what the program itself takes where it does not pack
    attention = "shared_prefix" if packed else "eager" if given.dtype == "bfloat16" else "sdpa"
    model, _ = load("embedded", attn_implementation=attention)
    tuned = METHODS["lora"](model, LoraTuning(), dtype=getattr(torch, given.dtype), seed=1)
    if given.compile:
        from instructglm.training.compilation import compile_layers
        from instructglm.training.setting import Setting

        setting = Setting(torch.device("cpu"), getattr(torch, given.dtype), 0, 1, packed)
        compile_layers(tuned, read_features(given), setting)
    return tuned


def bare_loop(variant: str, features: list[Any], given: argparse.Namespace) -> dict[str, float]:
    """The arithmetic of a run and nothing around it."""
    import torch

    from instructglm.training.batches import micro_batches
    from instructglm.training.loss import arithmetic, weighted_count, weighted_nats

    packed, dtype = variant == "packed", getattr(torch, given.dtype)
    tuned = opened(given, packed=packed)
    tuned.model.train()
    optimizer = torch.optim.AdamW(tuned.trainable().values(), lr=1e-4, fused=True)
    prompts = given.batch // given.outputs
    seconds = first = 0.0
    for step in range(given.steps + WARM_UP):
        chosen = features[step * prompts : (step + 1) * prompts]
        started = time.perf_counter()
        batches = micro_batches(chosen, given.micro, 0, packed=packed)
        total, loss = weighted_count(batches), 0.0
        for batch in batches:
            with arithmetic(torch.device("cpu"), dtype):
                nats = weighted_nats(tuned.model, batch) / total
            nats.backward()
            loss += nats.item()
        torch.nn.utils.clip_grad_norm_(tuned.trainable().values(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        first = first or loss
        if step >= WARM_UP:
            seconds += time.perf_counter() - started
    return rates(features[WARM_UP * prompts :], seconds) | {"first_loss": first}


def program(features: list[Any], given: argparse.Namespace) -> dict[str, float]:
    """The loop that `instructglm run` trains in, checkpoint and log included."""
    import torch

    from instructglm.config.training import TrainingSettings
    from instructglm.core.progress import SilentProgress
    from instructglm.training.loop import Setting, train
    from instructglm.training.metrics_log import read_metrics

    prompts = given.batch // given.outputs
    settings = TrainingSettings(
        num_train_epochs=1, batch_size=prompts, micro_batch_size=given.micro, learning_rate=1e-4, warmup_ratio=0.0,
        lr_scheduler_type="constant", save_steps=10_000,
    )  # fmt: skip
    setting = Setting(torch.device("cpu"), getattr(torch, given.dtype), 0, seed=1, packed=True)
    with tempfile.TemporaryDirectory() as folder:
        train(opened(given, packed=True), features, [], settings, setting, Path(folder), SilentProgress())
        lines = read_metrics(Path(folder) / "metrics.jsonl")
    # the order is the run's own; how long its first steps were is told by their tokens
    seconds = lines[-1]["elapsed_s"] - lines[WARM_UP - 1]["elapsed_s"]
    share = sum(line["num_input_tokens"] for line in lines[WARM_UP:]) / sum(line["num_input_tokens"] for line in lines)
    whole = rates(features, seconds / share)
    return whole | {"first_loss": lines[0]["train_loss_nats_per_token"]}


def rates(features: list[Any], seconds: float) -> dict[str, float]:
    rows = sequences(features)
    tokens = sum(len(row["input_ids"]) for row in rows)
    trained = sum(label != -100 for row in rows for label in row["labels"])
    return {
        "tokens_per_s": tokens / seconds,
        "trained_per_s": trained / seconds,
        "tokens_per_sequence": tokens / len(rows),
    }


if __name__ == "__main__":
    main()
