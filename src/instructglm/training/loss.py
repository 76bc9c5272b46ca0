"""The loss: nats per trained token, over all tokens of an optimizer step."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn
from torch.nn import functional as F

from instructglm.data.templates import IGNORE_INDEX
from instructglm.training.batches import Batch


def weighted_nats(model: nn.Module, batch: Batch) -> torch.Tensor:
    """The sum of weight x negative log-likelihood over the batch's trained tokens, a float32 scalar.

    Logits are computed only for the columns that hold a label.
    """
    logits = model(
        input_ids=batch.input_ids,
        attention_mask=batch.attention_mask,
        position_ids=batch.position_ids,
        logits_to_keep=batch.label_columns,
        use_cache=False,
    ).logits.float()  # (B, C, V)
    nats = F.cross_entropy(
        logits.flatten(0, 1), batch.labels.flatten(), ignore_index=IGNORE_INDEX, reduction="none"
    ).view_as(batch.labels)  # (B, C)
    return (nats.sum(dim=1) * batch.weights).sum()


def weighted_count(batches: list[Batch]) -> float:
    """The sum of weights over trained tokens: what a step's loss is divided by."""
    return sum(float(((batch.labels != IGNORE_INDEX).sum(dim=1) * batch.weights).sum()) for batch in batches)


def arithmetic(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Matrix products in `dtype`; everything that needs float32 stays in it."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype)
