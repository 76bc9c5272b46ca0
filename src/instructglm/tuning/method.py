"""A model with some of its weights set to move."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn


@dataclass(frozen=True)
class TunedModel:
    """A causal language model in training, whatever the method.

    `model` is called as any transformers causal LM. `name` is the folder under
    the run in which `save` leaves what moved: `adapter` holds a difference to
    the base, `model` whole weights.
    """

    model: nn.Module
    name: str

    def trainable(self) -> dict[str, nn.Parameter]:
        """The parameters that move, by name."""
        return {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}

    def state(self) -> dict[str, torch.Tensor]:
        """A copy of the weights that move."""
        return {name: weight.detach().cpu().clone() for name, weight in self.trainable().items()}

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        """Set the weights that move, bit by bit."""
        with torch.no_grad():
            for name, weight in self.trainable().items():
                weight.copy_(state[name])

    def num_trainable(self) -> int:
        return sum(weight.numel() for weight in self.trainable().values())

    def num_parameters(self) -> int:
        return sum(weight.numel() for weight in self.model.parameters())

    def save(self, folder: Path) -> None:
        """Write what `models.load` or PEFT needs to have the tuned model again."""
        self.model.save_pretrained(folder)  # type: ignore[operator]


def settle_dtypes(model: nn.Module, dtype: torch.dtype) -> None:
    """Weights that move in float32, frozen ones in the dtype of the matrix products.

    Adam's updates are smaller than bfloat16 can add to a weight; frozen weights
    have no updates to lose, and half their bytes are half the time to read them.
    """
    for weight in model.parameters():
        weight.data = weight.data.to(torch.float32 if weight.requires_grad else dtype)
