"""A model with some of its weights set to move."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch import nn

from instructglm.core.errors import ModelError
from instructglm.models.quiet import quiet
from instructglm.tuning.shards import part_of, whole


def save_pretrained(model: Any, folder: Path) -> None:
    """Leave it to the model: PEFT writes the adapter, transformers all weights."""
    # PEFT takes a config.json of an official layout for one of a smaller vocabulary, and would add the embeddings.
    options = {"save_embedding_layers": False} if isinstance(model, PeftModel) else {}
    with quiet():
        model.save_pretrained(folder, **options)


@dataclass(frozen=True)
class TunedModel:
    """A causal language model in training, whatever the method.

    `model` is called as any transformers causal LM. `name` is the folder under
    the run in which `save` leaves what moved: `adapter` holds a difference to
    the base, `model` whole weights.
    """

    model: nn.Module
    name: str
    write: Callable[[Any, Path], None] = save_pretrained
    """How `save` writes `model`."""
    against_checkpointing: str = ""
    """Why no layer can be computed again in the backward pass, where that is so."""
    against_packing: str = ""
    """Why prompts cannot be read in one row with all their outputs, where that is so."""
    lr_ratios: Mapping[str, float] = field(default_factory=dict)
    """Name of a weight that moves -> how many times the learning rate it gets; 1 where it is not named."""

    def trainable(self) -> dict[str, nn.Parameter]:
        """The parameters that move, by name."""
        return {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}

    def state(self, keep: bool = True) -> dict[str, torch.Tensor]:
        """A copy of the weights that move; nothing where it is not kept.

        Where FSDP has parted them, all processes call this together, and those keep it that want it.
        """
        named = ((name, whole(weight.detach())) for name, weight in self.trainable().items())
        return {name: weight.cpu().clone() for name, weight in named if keep}

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        """Set the weights that move, bit by bit."""
        with torch.no_grad():
            for name, weight in self.trainable().items():
                weight.copy_(part_of(state[name], weight))

    def num_trainable(self) -> int:
        return sum(weight.numel() for weight in self.trainable().values())

    def num_parameters(self) -> int:
        return sum(_numel(weight) for weight in self.model.parameters())

    def save(self, folder: Path) -> None:
        """Write what `models.load` or `load_adapter` needs to have the tuned model again."""
        self.write(self.model, folder)

    def checkpoint_gradients(self) -> None:
        """Keep only what goes into each layer for the backward pass, and compute the rest again.

        Raises:
            ModelError: with this method and this model that is not possible.
        """
        if self.against_checkpointing:
            raise ModelError(
                f"training.gradient_checkpointing is true, but {self.against_checkpointing}",
                hint="Set training.gradient_checkpointing to false and lower training.micro_batch_size instead.",
            )
        self.model.gradient_checkpointing_enable({"use_reentrant": False})  # type: ignore[operator]
        self.model.enable_input_require_grads()  # type: ignore[operator]


def _numel(weight: torch.Tensor) -> int:
    """The numbers that a weight stands for: bitsandbytes keeps two of 4 bits in a byte."""
    quantized = getattr(weight, "quant_state", None)
    return weight.numel() if quantized is None else math.prod(quantized.shape)


def settle_dtypes(model: nn.Module, dtype: torch.dtype) -> None:
    """Weights that move in float32, frozen ones in the dtype of the matrix products, quantized ones as they are.

    Adam's updates are smaller than bfloat16 can add to a weight; frozen weights
    have no updates to lose, and half their bytes are half the time to read them.
    """
    for weight in model.parameters():
        if weight.is_floating_point():
            weight.data = weight.data.to(torch.float32 if weight.requires_grad else dtype)
