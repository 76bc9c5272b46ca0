"""ChatGLM-6B's attention paths: a forward and backward pass of a small native model, eager against sdpa and packed.

    python benchmarks/chatglm_attention.py [--repeats 5] [--device cpu] [--dtype float32] [--heads 32]

4 layers, hidden size 1024, a batch of 4 x 512 tokens of which the first half is the context. Each figure is the
median over fresh processes, the paths taken in turn; within one, of five passes after two that warm up.
`kept` are the bytes that autograd keeps for the backward pass, `per head` those of them in float tensors whose
last two sizes are both 512 or more: scores or masks, one for each head.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

BATCH, LENGTH = 4, 512
PATHS = ("eager", "sdpa", "shared_prefix")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--dtype", default="float32", choices=("float32", "bfloat16", "float16"))
    arguments.add_argument("--heads", type=int, default=32, help="ChatGLM-6B has 32")
    arguments.add_argument("--one", choices=(*PATHS, "flex_attention"), help="measure one, print JSON")
    chosen = arguments.parse_args()
    if chosen.one:
        print(json.dumps(measure(chosen.one, chosen.device, chosen.dtype, chosen.heads)))
        return
    paths = (*PATHS, "flex_attention") if chosen.device != "cpu" else PATHS  # flex has no backward pass on a CPU
    runs: dict[str, list[dict[str, float]]] = {path: [] for path in paths}
    for _ in range(chosen.repeats):
        for path in paths:
            runs[path].append(fresh(path, chosen.device, chosen.dtype, chosen.heads))
    report(runs)


def report(runs: dict[str, list[dict[str, float]]]) -> None:
    middle = {path: statistics.median(run["tokens_per_s"] for run in found) for path, found in runs.items()}
    print("| attention | tokens/s (median, min to max) | against eager | peak memory | kept | of it per head |")
    print("|---|---|---|---|---|---|")
    for path, found in runs.items():
        speeds = [run["tokens_per_s"] for run in found]
        sizes = [statistics.median(run[name] for run in found) / 2**20 for name in ("peak", "kept", "per_head")]
        shown = " | ".join(f"{size:.0f} MiB" for size in sizes)
        speed = f"{middle[path]:.0f} ({min(speeds):.0f} to {max(speeds):.0f})"
        print(f"| {path} | {speed} | {middle[path] / middle['eager']:.2f} | {shown} |")


def fresh(path: str, device: str, dtype: str, heads: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", path, "--device", device, "--dtype", dtype]
    command += ["--heads", str(heads)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def measure(path: str, device: str, dtype: str, heads: int) -> dict[str, float]:
    import torch

    model, batch = make(path, torch.device(device), getattr(torch, dtype), heads)
    kept = {"all": 0, "per_head": 0}

    def count(tensor: torch.Tensor) -> torch.Tensor:
        size = tensor.numel() * tensor.element_size()
        square = tensor.ndim >= 3 and min(tensor.shape[-2:]) >= LENGTH and tensor.shape[-1] == tensor.shape[-2]
        kept["all"] += size
        kept["per_head"] += size * (square and tensor.is_floating_point())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        step(model, batch)
    times = [step(model, batch) for _ in range(6)][1:]
    cuda = device.startswith("cuda")
    peak = torch.cuda.max_memory_allocated() if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    speed = BATCH * LENGTH / statistics.median(times)
    return {"tokens_per_s": speed, "peak": peak, "kept": kept["all"], "per_head": kept["per_head"]}


def make(path: str, device, dtype, heads: int):
    import torch

    from instructglm.models.chatglm.configuration import ChatGLMConfig
    from instructglm.models.chatglm.modeling import ChatGLMForCausalLM

    torch.manual_seed(0)
    config = ChatGLMConfig(
        vocab_size=4096,
        hidden_size=1024,
        num_layers=4,
        num_attention_heads=heads,
        inner_hidden_size=4096,
        mask_token_id=4000,
        gmask_token_id=4001,
        bos_token_id=4004,
        eos_token_id=4005,
    )
    config._attn_implementation = path
    model = ChatGLMForCausalLM(config).to(device, dtype).train()
    ids = torch.randint(10, 3900, (BATCH, LENGTH), device=device)
    ids[:, LENGTH // 2 - 1], ids[:, LENGTH // 2] = config.gmask_token_id, config.bos_token_id
    labels = ids.clone()
    labels[:, : LENGTH // 2] = -100
    if path == "shared_prefix":  # the same sequences one after the other in one row
        from instructglm.models.shared_prefix import Segments

        segments = Segments.of([(LENGTH // 2 + 1, [LENGTH // 2 - 1])] * BATCH)
        return model, {
            "input_ids": ids.view(1, -1), "labels": labels.view(1, -1), "segments": segments, "use_cache": False,
        }  # fmt: skip
    return model, {"input_ids": ids, "labels": labels, "use_cache": False}


def step(model, batch) -> float:
    import torch

    begin = time.perf_counter()
    model(**batch).loss.backward()
    model.zero_grad()
    if batch["input_ids"].is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
