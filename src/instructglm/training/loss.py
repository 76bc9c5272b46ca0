"""The loss: nats per trained token, over all tokens of an optimizer step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from instructglm.models.registration import SHARED_PREFIX
from instructglm.training.batches import Batch
from instructglm.training.head_loss import head_loss


def weighted_nats(model: nn.Module, batch: Batch, *, plain_head: bool = True) -> torch.Tensor:
    """The sum of weight x negative log-likelihood over the batch's trained tokens, a float32 scalar.

    Logits are computed only where one predicts a label, some at a time. A
    model that does more with them than its head does (`plain_head` is false)
    computes all of them itself.
    """
    if not plain_head:
        logits = logits_at_labels(model, batch).float()
        return (F.cross_entropy(logits, batch.labels, reduction="none") * batch.weights).sum()
    with _headless(model, nn.Identity()) as head:
        hidden = logits_at_labels(model, batch)  # (N, E)
    return head_loss(head, hidden, batch.labels, batch.weights)


class StepLoss(nn.Module):
    """`weighted_nats` as a module: all that a training step uses of a model is used in its forward pass."""

    def __init__(self, model: nn.Module, *, plain_head: bool) -> None:
        super().__init__()
        self.model, self.plain_head = model, plain_head

    def forward(self, batch: Batch) -> torch.Tensor:
        return weighted_nats(self.model, batch, plain_head=self.plain_head)


def _inputs(model: nn.Module, batch: Batch) -> dict[str, Any]:
    """The arguments of the forward pass."""
    inputs = {"input_ids": batch.input_ids, "position_ids": batch.position_ids, "use_cache": False}
    if batch.segments is None:
        return inputs | {"attention_mask": batch.attention_mask}
    attention: str = model.config._attn_implementation  # type: ignore[union-attr, assignment]
    device = batch.input_ids.device
    if attention == SHARED_PREFIX:
        return inputs | {"attention_mask": batch.segments.stand_in(device), "segments": batch.segments}
    mask = batch.segments.mask()  # the reference: as large as the square of the row
    if attention == "eager":  # adds what it is given to its scores
        mask = torch.zeros(mask.shape).masked_fill_(~mask, torch.finfo(torch.float32).min)
    return inputs | {"attention_mask": mask.to(device), "segments": batch.segments}


def has_plain_head(model: nn.Module, batch: Batch) -> bool:
    """Whether nothing is done to the logits after the head, and the model can be called without its head."""
    try:
        with torch.no_grad(), _headless(model, _Large()):
            outputs = logits_at_labels(model, batch).float()
    except torch.OutOfMemoryError:
        raise
    except Exception:  # whatever a model may want of its head
        return False
    return torch.equal(outputs, _Large.values(len(outputs), outputs))


class _Large(nn.Module):
    """A head that knows only a few logits, large enough for any cap or scale to be seen."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.values(hidden.shape[:-1].numel(), hidden).view(*hidden.shape[:-1], -1)

    @staticmethod
    def values(count: int, like: torch.Tensor) -> torch.Tensor:
        return torch.tensor([[-512.0, 64.0, 2.0, 512.0]], dtype=like.dtype, device=like.device).expand(count, -1)


def logits_at_labels(model: nn.Module, batch: Batch) -> torch.Tensor:
    """What the model makes of the places that predict a label: (N, V)."""
    outputs: torch.Tensor = model(**_inputs(model, batch)).logits  # (B, T, V)
    return outputs.flatten(0, 1).index_select(0, batch.predicting)


@contextmanager
def _headless(model: Any, instead: nn.Module) -> Iterator[nn.Module]:
    """Within the block, `instead` stands in the place of the model's head; yields the head."""
    head = model.get_output_embeddings()
    model.set_output_embeddings(instead)
    try:
        yield head
    finally:
        model.set_output_embeddings(head)


def weighted_count(batches: list[Batch]) -> float:
    """The sum of weights over trained tokens: what a step's loss is divided by."""
    return sum(float(batch.weights.sum()) for batch in batches)


def arithmetic(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Matrix products in `dtype`; everything that needs float32 stays in it."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype)
