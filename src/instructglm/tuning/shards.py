"""Weights of which FSDP has left each process a part: put together, and parted again."""

from __future__ import annotations

import torch
from torch import nn
from torch.distributed.tensor import DTensor, distribute_tensor


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """All of a tensor. Where it is parted, this is a collective call."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def part_here(tensor: torch.Tensor) -> torch.Tensor:
    """What this process holds of a tensor: all of it, unless it is parted."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def part_of(tensor: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """What belongs beside `weight` in this process: of a tensor of its shape, the same part."""
    tensor = tensor.to(weight.device)
    if not isinstance(weight, DTensor) or tensor.shape != weight.shape:
        return tensor
    # Every process has the whole, so nothing has to be sent.
    return distribute_tensor(tensor, weight.device_mesh, weight.placements, src_data_rank=None)


def is_parted(model: nn.Module) -> bool:
    """Whether FSDP holds the weights of a model."""
    return any(isinstance(weight, DTensor) for weight in model.parameters())
