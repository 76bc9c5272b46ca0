"""What a device has, and what a process takes of it."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest
import torch

from instructglm.models import memory
from instructglm.models.memory import DeviceMemory, PeakMemory, device_memory

CPU = torch.device("cpu")
MIB = 2**20


def test_the_machine_has_more_than_nobody_has_taken():
    found = device_memory(CPU)
    assert 0 < found.available <= found.total


@pytest.mark.parametrize(("current", "available"), [(600, 500), (2000, 0)])
def test_a_container_has_its_limit_and_gets_back_what_files_hold(tmp_path: Path, monkeypatch, current, available):
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text(f"{current}\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 100\nactive_file 7\n")
    assert device_memory(CPU) == DeviceMemory(1000, available)


def test_a_container_without_a_limit_has_the_machine(tmp_path: Path, monkeypatch):
    whole = device_memory(CPU).total
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text("max\n")
    assert device_memory(CPU).total >= whole


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc keeps what was freed")
def test_what_was_freed_before_and_is_taken_again_counts():
    def blocks() -> list[bytearray]:
        return [bytearray(b"x" * 100_000) for _ in range(640)]

    freed, on_top = blocks(), blocks()[0]  # below it nothing goes back by itself
    del freed
    with PeakMemory(CPU) as peak:
        again = blocks()
    assert peak.bytes > 50 * MIB
    del again, on_top


def test_the_peak_stays_when_what_made_it_is_gone():
    with PeakMemory(CPU) as peak:
        block = torch.ones(64 * MIB // 4)
        held = peak.bytes
        del block
    assert 60 * MIB < held <= peak.bytes < 200 * MIB
    assert peak.measure == "resident"
    later = torch.ones(128 * MIB // 4)
    assert peak.bytes < 200 * MIB
    del later
