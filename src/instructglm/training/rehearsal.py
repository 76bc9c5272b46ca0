"""A forward and a backward pass played through on tensors without numbers, to see what memory it takes.

Every tensor has its shape, its dtype and its place, and none has content
(PyTorch's fake tensors): the model, its attention, autograd, checkpointing and
the loss are those of training, so whatever any of them keeps is seen, of any
family, without a formula for it. What is counted:

    activations   bytes alive when the last layer has been computed: what autograd keeps of the layers, or, with
                  gradient checkpointing, what goes into each of them
    logits        bytes alive at once in the head and the loss, beyond those
    backward      bytes alive at once on the way back, beyond all that, with every gradient's place taken beforehand
    validation    bytes alive at once in a forward pass of which autograd keeps nothing

Bytes inside a kernel are not seen; on an accelerator, a packed row's attention is taken to keep queries, keys,
values, their mixture, and a number for each query and head, as flex attention does.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._subclasses import FakeTensor, FakeTensorMode
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, AttentionInterface

from instructglm.models.registration import SHARED_PREFIX
from instructglm.training.batches import Batch
from instructglm.training.loss import arithmetic, has_plain_head, weighted_nats
from instructglm.tuning import TunedModel
from instructglm.tuning.freeze import decoder_layers

_CPU = torch.device("cpu")  # where the tensors pretend to be


@dataclass(frozen=True)
class PassMemory:
    """Bytes beside weights and gradients; the first three add up to the peak of one forward and backward pass."""

    activations: int
    logits: int
    backward: int
    validation: int
    """Of the largest pass that keeps nothing; 0 where there is none."""


def rehearse(
    tuned: TunedModel,
    batch: Batch,
    validation: Batch | None,
    device: torch.device,
    dtype: torch.dtype,
    *,
    gradient_checkpointing: bool,
) -> PassMemory:
    """What one pass over `batch` takes at most, and one that keeps nothing over `validation`.

    Args:
        tuned: on the meta device; of no use afterwards.
        batch: real token ids, since where they stand decides what is computed; on the CPU.
        validation: likewise; None where the run has no validation.
        device: where the run will compute.
        dtype: of matrix products.
        gradient_checkpointing: as in the settings.

    Raises:
        ModelError: this model, or this method, cannot do so.
    """
    _without_numbers(tuned.model)
    if gradient_checkpointing:
        tuned.checkpoint_gradients()
    with _attention_of(device):
        with arithmetic(_CPU, dtype):
            plain_head = has_plain_head(tuned.model.eval(), batch)
        parts = _play(tuned, batch, dtype, plain_head)
        kept = _validate(tuned, validation, dtype, plain_head) if validation else 0
        return PassMemory(*parts, validation=kept)


def _play(tuned: TunedModel, batch: Batch, dtype: torch.dtype, plain_head: bool) -> tuple[int, int, int]:
    """Forward and backward: activations, logits, backward."""
    tuned.model.train()
    for weight in tuned.trainable().values():
        weight.grad = torch.zeros_like(weight)
    with _Living(_known(tuned, batch)) as living:
        with arithmetic(_CPU, dtype), _after_layers(tuned.model, living) as kept:
            nats = weighted_nats(tuned.model, batch, plain_head=plain_head)
        forward = living.most
        nats.backward()  # type: ignore[no-untyped-call]
    activations = kept[0] if kept else forward
    return activations, forward - activations, living.most - forward


def _validate(tuned: TunedModel, batch: Batch, dtype: torch.dtype, plain_head: bool) -> int:
    tuned.model.eval()
    with torch.no_grad(), arithmetic(_CPU, dtype), _Living(_known(tuned, batch)) as living:
        weighted_nats(tuned.model, batch, plain_head=plain_head)
    most: int = living.most
    return most


def _known(tuned: TunedModel, batch: Batch) -> list[torch.Tensor | None]:
    """What is there before a pass."""
    weights = [*tuned.model.parameters(), *tuned.model.buffers()]
    gradients = [weight.grad for weight in tuned.trainable().values()]
    return [*weights, *gradients, batch.input_ids, batch.position_ids, batch.labels, batch.weights]


class _Living(TorchDispatchMode):
    """Counts the bytes of tensors that are alive, those that were there before left out."""

    def __init__(self, known: Iterable[torch.Tensor | None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self._known = {tensor.untyped_storage()._cdata for tensor in known if tensor is not None}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._note(tensor.untyped_storage())
        return made

    def _note(self, storage: torch.UntypedStorage) -> None:
        number, size = storage._cdata, storage.nbytes()
        if number in self._known:
            return
        self._known.add(number)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._forget, number, size).atexit = False

    def _forget(self, number: int, size: int) -> None:
        self._known.discard(number)
        self.now -= size


@contextmanager
def _after_layers(model: nn.Module, living: _Living) -> Iterator[list[int]]:
    """The bytes alive when the last layer is done; the loss begins with a count of its own there."""
    kept: list[int] = []

    def note(*_: Any) -> None:
        if not kept:  # and not when it is computed again
            kept.append(living.now)
            living.most = living.now

    handle = decoder_layers(model)[-1].register_forward_hook(note)
    try:
        yield kept
    finally:
        handle.remove()


def _without_numbers(model: nn.Module) -> None:
    """Turn weights and buffers into fake tensors; tied ones stay one."""
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    made: dict[int, Any] = {}

    def fake(tensor: torch.Tensor) -> Any:
        if id(tensor) not in made:
            empty = FakeTensor(mode, torch.empty_like(tensor.detach(), device="meta"), _CPU)
            is_weight = isinstance(tensor, nn.Parameter)
            made[id(tensor)] = (tensor, nn.Parameter(empty, tensor.requires_grad) if is_weight else empty)
        return made[id(tensor)][1]

    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            tensors.update({name: fake(tensor) for name, tensor in tensors.items() if tensor is not None})
    prompts: Any = getattr(model, "prompt_tokens", {})  # PEFT's numbers of a prefix, which it looks up
    prompts.update({name: torch.arange(len(tokens)) for name, tokens in prompts.items()})


@contextmanager
def _attention_of(device: torch.device) -> Iterator[None]:
    """Within the block, packed rows have the attention that keeps what the device's own would keep."""
    if device.type == "cpu":
        yield
        return
    own = ALL_ATTENTION_FUNCTIONS[SHARED_PREFIX]
    AttentionInterface.register(SHARED_PREFIX, _fused)
    try:
        yield
    finally:
        AttentionInterface.register(SHARED_PREFIX, own)


def _fused(
    module: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_: Any, **__: Any
) -> tuple[torch.Tensor, None]:
    """As large as flex attention over a packed row, and as wrong as a mask that looks back: only sizes count."""
    kind = query.device.type
    if torch.is_autocast_enabled(kind):
        dtype = torch.get_autocast_dtype(kind)
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=query.shape[1] != key.shape[1])
    return mixed.transpose(1, 2), None
