"""LoRA: low-rank updates beside frozen weights (Hu et al. 2021, arXiv:2106.09685), through PEFT."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from instructglm.config.tuning import LoraTuning
from instructglm.core.errors import ModelError
from instructglm.core.seeds import derived_seed
from instructglm.tuning.lora_product import fuse_products
from instructglm.tuning.method import TunedModel, settle_dtypes

_LINEAR = (nn.Linear, Conv1D)  # GPT-2's layers have their weights the other way round


def apply_lora(model: PreTrainedModel, settings: LoraTuning, *, dtype: torch.dtype, seed: int) -> TunedModel:
    """Add low-rank updates to the target layers; at the start they add exactly nothing.

    With DoRA a layer divides by the length of its rows and multiplies with it
    again: there the start is the model to rounding.

    Raises:
        ModelError: the model has no layer of a name in `targets`.
    """
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=_targets(model, settings),
        use_rslora=settings.use_rslora,
        use_dora=settings.use_dora,
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng():
        torch.manual_seed(derived_seed(seed, "lora"))
        with _drawn_in_float32(model, config):
            adapted: PeftModel = get_peft_model(model, config)
    settle_dtypes(adapted, dtype)
    fuse_products(adapted)
    return TunedModel(adapted, "adapter", lr_ratios=_lr_ratios(adapted, settings.loraplus_lr_ratio))


@contextmanager
def _drawn_in_float32(model: PreTrainedModel, config: LoraConfig) -> Iterator[None]:
    """Within the block, linear layers have float32 weights in shape only: PEFT rounds what it draws to their dtype.

    DoRA looks at the numbers in them, and has the weights themselves.
    """
    linear = [] if config.use_dora else [module for module in model.modules() if isinstance(module, _LINEAR)]
    weights = {module.weight: module.weight.data for module in linear if module.weight.is_floating_point()}
    for weight, data in weights.items():
        weight.data = data.new_zeros((), dtype=torch.float32).expand(data.shape)
    try:
        yield
    finally:
        for weight, data in weights.items():
            weight.data = data


def _lr_ratios(model: PeftModel, ratio: float) -> dict[str, float]:
    """LoRA+ (Hayou et al. 2024, arXiv:2402.12354): the matrices that begin at zero learn faster."""
    return {name: ratio for name, _ in model.named_parameters() if ".lora_B." in name} if ratio != 1.0 else {}


def _targets(model: PreTrainedModel, settings: LoraTuning) -> str | list[str]:
    if settings.targets == "all-linear":
        return "all-linear"
    targets = [settings.targets] if isinstance(settings.targets, str) else settings.targets
    linear = {name.rsplit(".", 1)[-1] for name, module in model.named_modules() if isinstance(module, _LINEAR)}
    unknown = sorted(set(targets) - linear)
    if unknown:
        raise ModelError(
            f"tuning.targets: this model has no linear layer called {', '.join(unknown)}",
            hint=f"It has {', '.join(sorted(linear))}; `all-linear` takes all but the head.",
        )
    return targets
