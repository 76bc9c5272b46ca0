"""One of the processes of a run, from its start to its end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed

from instructglm.core.errors import RunError
from instructglm.training.distributed.fleet import Fleet
from instructglm.training.distributed.ranks import Ranks


def heed_signals() -> None:
    """Let what asks this process to end be tidied up after."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


@contextmanager
def joined(fleet: Fleet, device: torch.device) -> Iterator[Ranks]:
    """Within the block, this process can reach the others, and has its own device or its share of the CPU.

    Args:
        fleet: that this process was started for.
        device: of which kind the devices are.

    Raises:
        RunError: there are more or fewer processes than the fleet has.
    """
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    elif "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, torch.get_num_threads() // fleet.processes))
    if fleet.nodes == 1 and sys.platform == "linux":  # a host's own name may lead nowhere
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    found = distributed.get_world_size()
    if found != fleet.world_size:
        raise RunError(f"{fleet.world_size} processes were to train together, and {found} came")
    yield Ranks(distributed.get_rank(), found, fleet.strategy)
    distributed.destroy_process_group()  # not after an error: it would wait for processes that are gone
