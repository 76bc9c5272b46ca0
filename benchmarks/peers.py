"""One training run of another framework, for `packing.py`, which starts it: transformers' Trainer with PEFT, or TRL.

It reads encoded sequences (JSON lines of `input_ids` and `labels`) and a model's folder, and needs nothing of this
project, so that it runs in an environment of its own:

    python -m venv peers && peers/bin/pip install torch transformers peft trl datasets
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

MAX_LENGTH = 512
WARM_UP = 2  # steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", choices=VARIANTS)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--dtype", required=True, choices=["bfloat16", "float32"])
    parser.add_argument("--batch", type=int, required=True, help="sequences an optimizer step")
    parser.add_argument("--micro", type=int, required=True, help="sequences a forward pass")
    given = parser.parse_args()
    rows = [json.loads(line) for line in given.rows.read_text().splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(VARIANTS[given.variant](given, rows, folder))))


def measure(run: Trainer) -> dict[str, float]:
    """What the steps after those that warm up took."""
    clock, counts = Clock(), Counts(run.data_collator)
    run.data_collator = counts
    run.add_callback(clock)
    run.train()
    if len(clock.times) <= WARM_UP:
        raise SystemExit(f"{len(clock.times)} steps are too few to measure: raise --steps")
    seconds = clock.times[-1] - clock.times[WARM_UP - 1]
    passes = run.args.gradient_accumulation_steps
    timed = counts.found[WARM_UP * passes : len(clock.times) * passes]
    tokens, trained, sequences = (sum(column) for column in zip(*timed, strict=True))
    losses = [line["loss"] for line in run.state.log_history if "loss" in line]
    return {
        "tokens_per_s": tokens / seconds,
        "trained_per_s": trained / seconds,
        "tokens_per_sequence": tokens / sequences,
        "first_loss": float(losses[0]),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


class Clock(TrainerCallback):
    """Notes when steps end."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.times.append(time.perf_counter())


class Counts:
    """A collator that notes the real tokens, trained tokens and sequences of every batch."""

    def __init__(self, collator: Any) -> None:
        self.collator = collator
        self.found: list[tuple[int, int, int]] = []

    def __call__(self, rows: Any) -> Any:
        batch = self.collator(rows)
        tokens = sum(len(row["input_ids"]) for row in rows)
        sequences = sum(len(row.get("seq_lengths") or [0]) for row in rows)
        self.found.append((tokens, int((batch["labels"] != -100).sum()), sequences))
        return batch


def trainer(given: argparse.Namespace, rows: list[dict[str, Any]], folder: str) -> Trainer:
    """transformers' Trainer with PEFT."""
    grouped = given.variant == "trainer-grouped"
    arguments = TrainingArguments(
        **common(given, folder), train_sampling_strategy="group_by_length" if grouped else "sequential",
        remove_unused_columns=False,
    )  # fmt: skip
    # without the lengths, which it takes from the rows itself, since it would pad them
    collator = DataCollatorForSeq2Seq(AutoTokenizer.from_pretrained(given.model))
    model = get_peft_model(opened(given.model), LoraConfig(**LORA))
    return Trainer(model, arguments, train_dataset=rows, data_collator=collator)


def trl(given: argparse.Namespace, rows: list[dict[str, Any]], folder: str) -> Trainer:
    """TRL's SFTTrainer. By default it recomputes activations; `trl-kept` and `trl-packing` keep them."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    packing = given.variant == "trl-packing"
    mean = sum(len(row["input_ids"]) for row in rows) / len(rows)
    settings = common(given, folder) | (
        {"per_device_train_batch_size": max(1, round(given.micro * mean / MAX_LENGTH))} if packing else {}
    )
    arguments = SFTConfig(
        **settings, max_length=MAX_LENGTH, packing=packing, gradient_checkpointing=given.variant == "trl",
        train_sampling_strategy="sequential",
    )  # fmt: skip
    return SFTTrainer(
        opened(given.model), arguments, train_dataset=Dataset.from_list(rows), peft_config=LoraConfig(**LORA),
        processing_class=AutoTokenizer.from_pretrained(given.model),
    )  # fmt: skip


LORA = {"r": 8, "lora_alpha": 16, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
VARIANTS = dict.fromkeys(["trainer-random", "trainer-grouped"], trainer) | dict.fromkeys(
    ["trl", "trl-kept", "trl-packing"], trl
)


def opened(folder: str) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, attn_implementation="sdpa", dtype=torch.float32)


def common(given: argparse.Namespace, folder: str) -> dict[str, Any]:
    return {
        "output_dir": folder, "per_device_train_batch_size": given.micro,
        "gradient_accumulation_steps": given.batch // given.micro, "num_train_epochs": 1, "learning_rate": 1e-4,
        "lr_scheduler_type": "constant", "use_cpu": True, "bf16": given.dtype == "bfloat16", "logging_steps": 1,
        "save_strategy": "no", "report_to": "none", "seed": 0, "disable_tqdm": True, "optim": "adamw_torch_fused",
    }  # fmt: skip


if __name__ == "__main__":
    main()
