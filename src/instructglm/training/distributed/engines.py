"""How the gradients of several processes become those of one step.

The whole loss, from ids to nats, is the forward pass of one module: the head
lies outside the model's own forward pass here, and an engine sees to nothing
that is used outside of the module it holds. A rank's backward pass is told a
loss `world_size` times too large, for both engines take the mean over ranks,
and a step's gradient is the sum.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.nn.parallel import DistributedDataParallel

from instructglm.core.errors import ModelError, RunError
from instructglm.training.distributed.ranks import Ranks
from instructglm.tuning.freeze import decoder_layers
from instructglm.tuning.shards import is_parted


def engage(loss: nn.Module, ranks: Ranks, device: torch.device, trial: Callable[[], torch.Tensor]) -> nn.Module:
    """What to call in place of `loss`; itself where there is one process.

    Args:
        loss: from a batch to nats, all that a step uses of the model inside it.
        ranks: the processes.
        device: on which the module is.
        trial: a forward pass of the shortest batch there is.

    Raises:
        RunError: the engine did not take the module.
    """
    if ranks.world_size == 1:
        return loss
    engine, kind = ENGINES[ranks.strategy]
    engaged = engine(loss, ranks, device, trial)
    if not isinstance(engaged, kind):
        raise RunError(
            f"training.distributed.strategy is {ranks.strategy}, but the model became a {type(engaged).__name__}"
        )
    return engaged


def _ddp(loss: nn.Module, ranks: Ranks, device: torch.device, trial: Callable[[], torch.Tensor]) -> nn.Module:
    """Every process has all weights; gradients are added once a step (Li et al. 2020, arXiv:2006.15704)."""
    unreached = ranks.any(_leaves_out_some(loss, trial))
    return DistributedDataParallel(loss, broadcast_buffers=False, find_unused_parameters=unreached)


def _leaves_out_some(loss: nn.Module, trial: Callable[[], torch.Tensor]) -> bool:
    """Whether a batch may give some weight no gradient, for which all would wait: an expert, an adapter of images."""
    trial().backward()  # type: ignore[no-untyped-call]
    unreached = any(weight.requires_grad and weight.grad is None for weight in loss.parameters())
    loss.zero_grad(set_to_none=True)
    return unreached


def _fsdp(loss: nn.Module, ranks: Ranks, device: torch.device, trial: Callable[[], torch.Tensor]) -> nn.Module:
    """Every process keeps a part of each layer, and has a whole one only while it computes with it.

    Zhao et al. 2023, arXiv:2304.11277; in torch `fully_shard`.

    Raises:
        ModelError: weights of few bits cannot be parted.
    """
    if any(not weight.is_floating_point() for weight in loss.parameters()):
        raise ModelError(
            "training.distributed.strategy is fsdp, which cannot part weights of four or eight bits",
            hint="Set it to ddp, or load the model without quantization.",
        )
    mesh = init_device_mesh(device.type, (ranks.world_size,))
    for layer in decoder_layers(loss):
        fully_shard(layer, mesh=mesh)
    fully_shard(loss, mesh=mesh)  # in place
    if not is_parted(loss):
        raise RunError("training.distributed.strategy is fsdp, but no weight was parted")
    return loss


ENGINES: dict[str, tuple[Callable[..., nn.Module], type]] = {
    "ddp": (_ddp, DistributedDataParallel),
    "fsdp": (_fsdp, FSDPModule),
}
"""Name in the experiment -> how it takes a module, and what that must become."""


def gradients_stay(engaged: nn.Module) -> AbstractContextManager[None]:
    """Within the block, gradients add up in this process alone: for all passes of a step but the last.

    FSDP has no room for whole gradients, and sends them in every pass.
    """
    return engaged.no_sync() if isinstance(engaged, DistributedDataParallel) else nullcontext()
