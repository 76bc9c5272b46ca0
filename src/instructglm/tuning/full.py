"""Full fine-tuning: every weight moves."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from instructglm.config.tuning import FullTuning
from instructglm.tuning.method import TunedModel, settle_dtypes


def apply_full(model: PreTrainedModel, settings: FullTuning, *, dtype: torch.dtype, seed: int) -> TunedModel:
    """Set every weight of `model` to move."""
    model.requires_grad_(True)
    settle_dtypes(model, dtype)
    return TunedModel(model, "model")
