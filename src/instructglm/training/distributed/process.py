"""One of the processes of a run, from its start to its end."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed

from instructglm.core.errors import RunError
from instructglm.training.distributed.ranks import Ranks

_CHECK_EVERY_S = 0.2


def heed_signals() -> None:
    """Let what asks this process to end be tidied up after, and end with the process that started it."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    """A launcher that was killed cannot say so, and nobody else would stop what it has started."""
    while os.getppid() == parent:
        time.sleep(_CHECK_EVERY_S)
    os._exit(1)


@contextmanager
def joined(device: torch.device, world_size: int) -> Iterator[tuple[Ranks, torch.device]]:
    """Within the block, this process can reach the others: which of them it is, and its device.

    Raises:
        RunError: there are more or fewer processes than `world_size`.
    """
    local_rank, per_node = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    if device.type == "cuda":
        device = torch.device("cuda", local_rank)
        torch.cuda.set_device(device)
    elif "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, torch.get_num_threads() // per_node))
    if per_node == world_size and sys.platform == "linux":  # on one machine: a host's name may lead nowhere
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        found = distributed.get_world_size()
        if found != world_size:
            raise RunError(f"{world_size} processes were to train together, and {found} came")
        yield Ranks(distributed.get_rank(), found), device
    finally:
        distributed.destroy_process_group()
