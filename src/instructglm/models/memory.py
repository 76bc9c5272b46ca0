"""How much memory a device has, and how much of it a process takes."""

from __future__ import annotations

import ctypes
import gc
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

import psutil
import torch

_SAMPLED_EVERY = 0.01  # seconds
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class DeviceMemory:
    """Bytes."""

    total: int
    available: int


def device_memory(device: torch.device) -> DeviceMemory:
    """What a device has; of a CPU, what this machine has, or its container where that has less."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return DeviceMemory(total, free)
    machine = psutil.virtual_memory()
    found = DeviceMemory(machine.total, machine.available)
    limit = _container(_CGROUP)
    return (
        found if limit is None else DeviceMemory(min(found.total, limit.total), min(found.available, limit.available))
    )


def _container(folder: Path) -> DeviceMemory | None:
    """What a container may take (cgroup version 2); None where there is none, or it has no limit."""
    try:
        limit = int((folder / "memory.max").read_text())
        used = int((folder / "memory.current").read_text())
        lines = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
        reclaimable = next(int(value) for name, value in lines if name == "inactive_file")
    except (OSError, ValueError, StopIteration):
        return None
    return DeviceMemory(limit, max(0, limit - used + reclaimable))


def _give_back() -> None:
    """Have the system get back what was freed: taken again, it would be no growth of the resident set."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim is not None:
        trim(0)


class PeakMemory:
    """Within the block, the most bytes that a process held at once beyond those at its start.

    Of CUDA, what torch had allocated; of every other device, the resident set
    of the process, sampled. A sample may miss what lives for less than 10 ms.
    """

    def __init__(self, device: torch.device) -> None:
        self.measure: Literal["allocated", "resident"] = "allocated" if device.type == "cuda" else "resident"
        self._device = device
        self._process = psutil.Process()
        self._over = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._start = self._most = 0

    @property
    def bytes(self) -> int:
        """So far, or in the whole block where it is over."""
        if not self._over.is_set():
            self._most = max(self._most, self._now())
        return self._most - self._start

    @property
    def held(self) -> int:
        """Bytes at this moment, beyond those at the start."""
        allocated = self.measure == "allocated"
        return (torch.cuda.memory_allocated(self._device) if allocated else self._resident()) - self._start

    def __enter__(self) -> PeakMemory:
        if self.measure == "allocated":
            torch.cuda.reset_peak_memory_stats(self._device)
            self._start = torch.cuda.memory_allocated(self._device)
        else:
            _give_back()
            self._start = self._most = self._resident()
            self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._most = max(self._most, self._now())
        self._over.set()
        if self._sampler.is_alive():
            self._sampler.join()

    def _sample(self) -> None:
        while not self._over.wait(_SAMPLED_EVERY):
            self._most = max(self._most, self._resident())

    def _now(self) -> int:
        return torch.cuda.max_memory_allocated(self._device) if self.measure == "allocated" else self._resident()

    def _resident(self) -> int:
        return int(self._process.memory_info().rss)
