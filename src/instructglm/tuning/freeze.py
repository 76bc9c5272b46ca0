"""Freeze tuning: only the last layers move."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn
from transformers import PreTrainedModel

from instructglm.config.tuning import FreezeTuning
from instructglm.core.errors import ModelError
from instructglm.tuning.method import TunedModel, settle_dtypes


def apply_freeze(model: PreTrainedModel, settings: FreezeTuning, *, dtype: torch.dtype, seed: int) -> TunedModel:
    """Set the last `num_layers` layers of `model` to move, and its head if asked.

    Raises:
        ModelError: the model has fewer layers.
    """
    layers = decoder_layers(model)
    if settings.num_layers > len(layers):
        raise ModelError(
            f"tuning.num_layers is {settings.num_layers}, but the model has {len(layers)} layers",
            hint="Choose fewer, or `method: full`.",
        )
    model.requires_grad_(False)
    for layer in layers[len(layers) - settings.num_layers :]:
        layer.requires_grad_(True)
    if settings.train_head:
        model.get_output_embeddings().requires_grad_(True)
    settle_dtypes(model, dtype)
    return TunedModel(model, "model")


def decoder_layers(model: nn.Module) -> nn.ModuleList:
    """The stack of transformer layers: the longest list of equal modules that stands in no other list.

    Raises:
        ModelError: there is none.
    """
    stacks = [stack for stack in _outer_lists(model) if len({type(layer) for layer in stack}) == 1]
    if not stacks:
        raise ModelError("cannot find the layers of this model", hint="Use `method: lora` or `method: full`.")
    return max(stacks, key=len)


def _outer_lists(module: nn.Module) -> Iterator[nn.ModuleList]:
    """Lists of modules, but not those inside: a layer may hold more experts than the model has layers."""
    if isinstance(module, nn.ModuleList):
        yield module
    else:
        for child in module.children():
            yield from _outer_lists(child)
