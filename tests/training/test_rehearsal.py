"""What is foretold of a pass's memory is what the pass takes, on real tensors, of several families."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.profiler import ProfilerActivity, profile
from transformers import AutoConfig, AutoModelForCausalLM

from instructglm.config.tuning import FreezeTuning, FullTuning, LoraTuning, PrefixTuning
from instructglm.data.features import Feature
from instructglm.data.templates import Encoded
from instructglm.models.loading import load, outline
from instructglm.training.batches import Batch, micro_batches
from instructglm.training.loss import arithmetic, has_plain_head, weighted_nats
from instructglm.training.packing import exchange_attention
from instructglm.training.rehearsal import PassMemory, rehearse
from instructglm.tuning import METHODS, TunedModel

CPU = torch.device("cpu")
SIZES = {
    "vocab_size": 500, "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "pad_token_id": 0, "sliding_window": None, "logits_scaling": 4.0,
}  # fmt: skip
FAMILIES = ("llama", "glm4", "chatglm-tiny")
TUNINGS = {
    "lora": LoraTuning(rank=4, dropout=0.1),
    "full": FullTuning(method="full"),
    "freeze": FreezeTuning(method="freeze", num_layers=1),
    "prefix": PrefixTuning(method="prefix", num_virtual_tokens=8),
}


def models(family: str) -> tuple[Callable[[], object], Callable[[], object], list[int]]:
    """What makes the real model, and the one of no numbers; and what a context of it ends with."""
    if family == "chatglm-tiny":
        _, tokenizer = load(family)
        return lambda: load(family)[0], lambda: outline(family), [tokenizer.gmask_token_id, tokenizer.sop_token_id]
    config = AutoConfig.for_model(family, **SIZES)

    def empty() -> object:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config)

    return lambda: AutoModelForCausalLM.from_config(config), empty, []


def features(end: list[int]) -> list[Feature]:
    generator = torch.Generator().manual_seed(0)

    def ids(length: int) -> list[int]:
        return torch.randint(20, 120, (length,), generator=generator).tolist()

    prompts = [[*ids(90 + 17 * number), *end] for number in range(4)]
    return [
        Feature(str(number), Encoded.untrained(prompt), [ids(40), ids(60 + number)], [0.5, 0.5])
        for number, prompt in enumerate(prompts)
    ]


def made(make: Callable[[], object], method: str, dtype: torch.dtype, rows: list[Feature], packed: bool) -> TunedModel:
    tuned = METHODS[method](make(), TUNINGS[method], dtype=dtype, seed=1)
    if packed:
        assert exchange_attention(tuned, rows) is None
    return tuned


def rehearsed(family: str, method: str, dtype: torch.dtype, packed: bool, checkpointing: bool) -> PassMemory:
    _, empty, end = models(family)
    rows = features(end)
    with torch.device("meta"):
        tuned = made(empty, method, dtype, rows, packed)
    batch, again = batch_of(rows, packed), batch_of(rows, packed)
    return rehearse(tuned, batch, again, CPU, dtype, gradient_checkpointing=checkpointing)


def batch_of(rows: list[Feature], packed: bool) -> Batch:
    return micro_batches(rows, 64, 0, packed=packed)[0]


def real(family: str, method: str, dtype: torch.dtype, packed: bool, checkpointing: bool) -> tuple[TunedModel, Batch]:
    make, _, end = models(family)
    rows = features(end)
    tuned = made(make, method, dtype, rows, packed)
    if checkpointing:
        tuned.checkpoint_gradients()
    tuned.model.train()
    return tuned, batch_of(rows, packed)


def kept_by_autograd(tuned: TunedModel, batch: Batch, dtype: torch.dtype) -> int:
    """Bytes that autograd keeps of a forward pass, weights and logits left out; and the masks that a row keeps."""
    weights = {weight.untyped_storage().data_ptr() for weight in tuned.model.parameters()}
    kept: dict[int, tuple[torch.Tensor, int]] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = (tensor, storage.nbytes())
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor), arithmetic(CPU, dtype):
        weighted_nats(tuned.model, batch)
    masks = sum(n * n * (1 + dtype.itemsize) for n in batch.segments.lengths) if batch.segments else 0
    return sum(size for _, size in kept.values()) + masks


def allocated_at_most(tuned: TunedModel, batch: Batch, dtype: torch.dtype, plain_head: bool) -> int:
    """In a forward and backward pass."""
    for weight in tuned.trainable().values():
        weight.grad = torch.zeros_like(weight)
    return most_allocated(lambda: weighted_nats(tuned.model, batch, plain_head=plain_head), dtype, grad=True)


def most_allocated(forward: Callable[[], torch.Tensor], dtype: torch.dtype, *, grad: bool) -> int:
    """Bytes that torch's allocator gave out at once, kernels' own included."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        with arithmetic(CPU, dtype), torch.set_grad_enabled(grad):
            nats = forward()
        if grad:
            nats.backward()
    now = most = 0
    for event in sorted(profiler.profiler.kineto_results.events(), key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            now += event.nbytes()
            most = max(most, now)
    return most


@pytest.mark.parametrize("method", TUNINGS)
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_activations_are_what_autograd_keeps(family, dtype, packed, method):
    if method == "prefix" and packed and family != "chatglm-tiny":
        pytest.skip("PEFT's prefix lies in the cache and is never packed")
    measured = kept_by_autograd(*real(family, method, dtype, packed, False), dtype)
    assert rehearsed(family, method, dtype, packed, False).activations == pytest.approx(measured, rel=0.15)


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(("family", "method"), [("llama", "full"), ("glm", "lora"), ("chatglm-tiny", "lora")])
def test_a_validation_pass_takes_what_is_allocated_at_most(family, method, dtype, packed):
    tuned, batch = real(family, method, dtype, packed, False)
    tuned.model.eval()
    measured = most_allocated(lambda: weighted_nats(tuned.model, batch), dtype, grad=False)
    assert rehearsed(family, method, dtype, packed, False).validation == pytest.approx(measured, rel=0.15)


@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "checkpointed"])
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(("family", "method"), [("llama", "full"), ("glm", "lora"), ("chatglm-tiny", "lora")])
def test_the_parts_add_up_to_what_is_allocated_at_most(family, method, dtype, packed, checkpointing):
    tuned, batch = real(family, method, dtype, packed, checkpointing)
    measured = allocated_at_most(tuned, batch, dtype, plain_head=True)
    told = rehearsed(family, method, dtype, packed, checkpointing)
    assert told.activations + told.logits + told.backward == pytest.approx(measured, rel=0.15)


def test_checkpointing_keeps_less_and_computes_again():
    without, checkpointed = (rehearsed("llama", "lora", torch.float32, False, on) for on in (False, True))
    assert checkpointed.activations < without.activations / 4
    assert checkpointed.backward > without.backward


def test_logits_that_the_model_makes_itself_are_counted_whole():
    tuned, batch = real("granite", "full", torch.float32, False, False)
    assert not has_plain_head(tuned.model.eval(), batch)
    tuned.model.train()
    measured = allocated_at_most(tuned, batch, torch.float32, plain_head=False)
    told = rehearsed("granite", "full", torch.float32, False, False)
    assert told.logits > batch.input_ids.numel() * SIZES["vocab_size"] * 4
    assert told.activations + told.logits + told.backward == pytest.approx(measured, rel=0.15)


@pytest.mark.parametrize("family", ["llama", "chatglm-tiny"])
def test_on_an_accelerator_a_packed_row_keeps_no_attention_weights(family):
    """Its own attention is put in its place only for the rehearsal."""
    _, empty, end = models(family)
    rows = features(end)
    with torch.device("meta"):
        tuned = made(empty, "lora", torch.bfloat16, rows, True)
    batch = batch_of(rows, True)
    elsewhere = rehearse(tuned, batch, None, torch.device("cuda"), torch.bfloat16, gradient_checkpointing=False)
    here = rehearsed(family, "lora", torch.bfloat16, True, False)
    assert 0 < elsewhere.activations < here.activations
    assert rehearsed(family, "lora", torch.bfloat16, True, False) == here
