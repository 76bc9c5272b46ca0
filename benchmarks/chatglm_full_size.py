"""ChatGLM-6B at its full size, with random weights: load it, train one LoRA step, generate.

    python benchmarks/chatglm_full_size.py --folder /some/disk [--device cuda] [--tokens 256] [--attention sdpa]

Writes a sharded checkpoint of 12.3 GB in bfloat16 into the folder, unless it is there from before. Model FLOPs
utilisation counts 6 FLOPs a weight and token for a step (4 for LoRA, which needs no gradient of frozen weights), and
is given where --peak-tflops says what the device can do.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

from instructglm.models import load
from instructglm.models.chatglm.configuration import ChatGLMConfig
from instructglm.models.chatglm.modeling import ChatGLMForCausalLM

_SHARD_BYTES = 2 * 2**30


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--folder", type=Path, required=True)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--attention", default="sdpa")
    arguments.add_argument("--tokens", type=int, default=256)
    arguments.add_argument("--new-tokens", type=int, default=16)
    arguments.add_argument("--peak-tflops", type=float)
    chosen = arguments.parse_args()
    if not (chosen.folder / "config.json").exists():
        write_checkpoint(chosen.folder)
    report(measure(chosen), chosen.peak_tflops)


def write_checkpoint(folder: Path) -> None:
    """Random weights under the official names, shard by shard."""
    folder.mkdir(parents=True, exist_ok=True)
    with torch.device("meta"):
        shapes = {name: tuple(weight.shape) for name, weight in ChatGLMForCausalLM(ChatGLMConfig()).named_parameters()}
    places = {}
    for number, names in enumerate(shards(shapes)):
        file = f"model-{number:05d}.safetensors"
        save_file({name: random(name, shapes[name]) for name in names}, folder / file, metadata={"format": "pt"})
        places |= dict.fromkeys(names, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    ChatGLMConfig().save_pretrained(folder)


def random(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    if "layernorm.weight" in name:
        return torch.ones(shape, dtype=torch.bfloat16)
    return torch.empty(shape, dtype=torch.bfloat16).normal_(std=0.02)


def shards(shapes: dict[str, tuple[int, ...]]) -> Iterator[list[str]]:
    names: list[str] = []
    size = 0
    for name, shape in shapes.items():
        names.append(name)
        size += 2 * torch.Size(shape).numel()
        if size >= _SHARD_BYTES:
            yield names
            names, size = [], 0
    if names:
        yield names


def measure(chosen: argparse.Namespace) -> dict[str, float]:
    figures: dict[str, float] = {}
    device = torch.device(chosen.device)
    begin = time.perf_counter()
    model, _ = load(chosen.folder, dtype="bfloat16", attn_implementation=chosen.attention)
    model = model.to(device)
    figures["load (s)"] = time.perf_counter() - begin
    figures["peak memory after loading (GiB)"] = peak(device)
    figures["weights"] = sum(weight.numel() for weight in model.parameters())
    tuned = get_peft_model(model, LoraConfig(r=8, task_type="CAUSAL_LM")).train()
    optimizer = torch.optim.AdamW([weight for weight in tuned.parameters() if weight.requires_grad], lr=1e-4)
    ids = prompt(chosen.tokens, device)
    for name in ("first LoRA step", "second LoRA step"):
        begin = time.perf_counter()
        loss = tuned(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        figures[f"{name} (tokens/s)"] = chosen.tokens / elapsed(begin, device)
    figures["loss (nats/token)"] = float(loss.detach())
    figures["peak memory after training (GiB)"] = peak(device)
    begin = time.perf_counter()
    tuned.eval().generate(
        input_ids=ids, max_new_tokens=chosen.new_tokens, min_new_tokens=chosen.new_tokens, do_sample=False
    )
    figures["generation, prompt included (tokens/s)"] = chosen.new_tokens / elapsed(begin, device)
    return figures


def prompt(length: int, device: torch.device) -> torch.Tensor:
    """Half of it context."""
    ids = torch.randint(5, 60000, (1, length), device=device)
    ids[:, length // 2 - 1], ids[:, length // 2] = 130001, 130004
    return ids


def elapsed(begin: float, device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def peak(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def report(figures: dict[str, float], peak_tflops: float | None) -> None:
    for name, value in figures.items():
        print(f"| {name} | {value:,.3g} |" if value < 1e6 else f"| {name} | {value:,.0f} |")
    if peak_tflops:
        done = 4 * figures["weights"] * figures["second LoRA step (tokens/s)"] / 1e12
        print(f"| model FLOPs utilisation | {done / peak_tflops:.1%} |")


if __name__ == "__main__":
    main()
