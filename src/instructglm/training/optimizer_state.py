"""What an optimizer remembers of each weight, as named tensors and back, bit by bit."""

from __future__ import annotations

from typing import Any

import torch

from instructglm.tuning import TunedModel
from instructglm.tuning.shards import part_of, whole

_NUMBER = "#"  # ends the name of what was a plain number, not a tensor of one


def optimizer_tensors(
    tuned: TunedModel, optimizer: torch.optim.Optimizer, keep: bool = True
) -> dict[str, torch.Tensor]:
    """`name of the weight/key` -> what the optimizer keeps under that key; learning rates and the like are no state.

    Where FSDP has parted them, all processes call this together, and those keep it that want it.
    """
    found: dict[str, torch.Tensor] = {}
    for name, weight in tuned.trainable().items():
        for key, value in optimizer.state.get(weight, {}).items():
            if isinstance(value, torch.Tensor):
                tensor = whole(value.detach())
                found |= {f"{name}/{key}": tensor.cpu()} if keep else {}
            else:
                kind = torch.int64 if isinstance(value, int) else torch.float64
                found[f"{name}/{key}{_NUMBER}"] = torch.tensor(value, dtype=kind)
    return _apart(found)


def restore_optimizer(tuned: TunedModel, optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Give a new optimizer the state that `optimizer_tensors` took from another."""
    saved: dict[str, dict[str, Any]] = {}
    for full_name, tensor in tensors.items():
        name, _, key = full_name.rpartition("/")
        number = key.endswith(_NUMBER)
        saved.setdefault(name, {})[key.removesuffix(_NUMBER)] = tensor.item() if number else tensor
    names = {weight: name for name, weight in tuned.trainable().items()}
    for index, group in enumerate(optimizer.param_groups):
        for place, weight in enumerate(group["params"]):
            if state := saved.get(names[weight]):
                _fill(optimizer, weight, state, (index, place))


def _fill(optimizer: Any, weight: torch.Tensor, state: dict[str, Any], place: tuple[int, int]) -> None:
    """Optimizers of bitsandbytes make the room themselves: it may be in pages that move between GPU and host."""
    if not hasattr(optimizer, "init_state"):
        optimizer.state[weight] = {key: _on(weight, value) for key, value in state.items()}
        return
    index, position = place
    optimizer.init_state(optimizer.param_groups[index], weight, index, position)
    for key, value in state.items():
        room = optimizer.state[weight].get(key)
        if isinstance(room, torch.Tensor):
            room.copy_(value)
        else:
            optimizer.state[weight][key] = value


def _on(weight: torch.Tensor, value: Any) -> Any:
    return part_of(value, weight) if isinstance(value, torch.Tensor) else value


def _apart(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A copy of what stands in memory that an earlier tensor has too: bitsandbytes keeps one table for all weights."""
    seen: set[int] = set()
    found = {}
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        found[name] = tensor.clone() if place in seen else tensor
        seen.add(place)
    return found
