"""LoRA: low-rank updates beside frozen weights (Hu et al., 2021), through PEFT."""

from __future__ import annotations

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import PreTrainedModel

from instructglm.config.tuning import LoraTuning
from instructglm.core.errors import ModelError
from instructglm.core.seeds import derived_seed
from instructglm.tuning.method import TunedModel, settle_dtypes


def apply_lora(model: PreTrainedModel, settings: LoraTuning, *, dtype: torch.dtype, seed: int) -> TunedModel:
    """Add low-rank updates to the target layers; at the start they add exactly nothing.

    Raises:
        ModelError: the model has no layer of a name in `targets`.
    """
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=_targets(model, settings),
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng():
        torch.manual_seed(derived_seed(seed, "lora"))
        adapted: PeftModel = get_peft_model(model, config)
    settle_dtypes(adapted, dtype)
    return TunedModel(adapted, "adapter")


def _targets(model: PreTrainedModel, settings: LoraTuning) -> str | list[str]:
    if settings.targets == "all-linear":
        return "all-linear"
    targets = [settings.targets] if isinstance(settings.targets, str) else settings.targets
    linear = {name.rsplit(".", 1)[-1] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    unknown = sorted(set(targets) - linear)
    if unknown:
        raise ModelError(
            f"tuning.targets: this model has no linear layer called {', '.join(unknown)}",
            hint=f"It has {', '.join(sorted(linear))}; `all-linear` takes all but the head.",
        )
    return targets
