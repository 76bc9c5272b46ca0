"""Checkpoints: everything that a run needs to go on bit by bit, in safetensors and JSON."""

from __future__ import annotations

import errno
import math
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, JsonValue
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from instructglm.core.errors import StorageError
from instructglm.core.files import staged_folder, storage_errors, write_text
from instructglm.core.records import Record, read_record
from instructglm.training.distributed.ranks import ALONE, Ranks
from instructglm.training.monitor import Watch
from instructglm.training.optimizer_state import optimizer_tensors, restore_optimizer
from instructglm.training.provenance import compare
from instructglm.tuning import TunedModel

_STATE, _WEIGHTS, _OPTIMIZER = "state.json", "weights.safetensors", "optimizer.safetensors"
_RNG = "rng"
_CUDA_RNG = "cuda_rng/"  # and the number of the device
_RANKS = "rank/"  # and the number of the process, stands before both

Tensors = dict[str, torch.Tensor]


class RunState(Record):
    """Where a run stands, apart from its tensors."""

    step: int = 0
    watch: Watch = Watch()
    num_input_tokens: int = 0
    num_trained_tokens: int = 0
    seconds: float = 0.0
    resumed_at: tuple[int, ...] = ()
    made_with: dict[str, JsonValue] = Field(default={})
    """What the run is trained with (`provenance`)."""


def save_checkpoint(
    folder: Path,
    tuned: TunedModel,
    optimizer: torch.optim.Optimizer,
    state: RunState,
    ranks: Ranks = ALONE,
    keep: int = 1,
) -> None:
    """Write `step-N` whole, then drop all but this and the `keep` - 1 before it.

    All processes take part, the first writes. A checkpoint of a later step is
    damaged: the run has gone on from before it.

    Raises:
        StorageError: the disk is full; the older checkpoint is intact.
    """
    final = folder / f"step-{state.step:08d}"
    weights, moments = tuned.state(ranks.is_first), optimizer_tensors(tuned, optimizer, ranks.is_first)
    generators = ranks.collect(_generators(ranks.rank))
    if not ranks.is_first:
        return
    with staged_folder(final) as staged:
        _save(weights, staged / _WEIGHTS)
        _save(
            {name: tensor for tensors in (moments, *generators) for name, tensor in tensors.items()},
            staged / _OPTIMIZER,
        )
        write_text(staged / _STATE, state.model_dump_json(indent=2))
    _keep_only(folder, [step for step in _steps(folder) if step <= final][-keep:])


def save_best(folder: Path, tuned: TunedModel, step: int, ranks: Ranks = ALONE) -> None:
    """Write the weights of the best step so far; the older best goes with the next checkpoint."""
    weights = tuned.state(ranks.is_first)
    if ranks.is_first:
        with staged_folder(folder / f"best-{step:08d}") as staged:
            _save(weights, staged / _WEIGHTS)


def load_best(folder: Path, step: int) -> dict[str, torch.Tensor]:
    """The weights that `save_best` wrote.

    Raises:
        StorageError: they are damaged or missing.
    """
    return _load(folder / f"best-{step:08d}" / _WEIGHTS)


def intact(folder: Path) -> str:
    """What an error can say of a run's checkpoints that is no loss; nothing where there is none yet."""
    return "The last checkpoint is intact." if _steps(folder) else ""


def resume(
    folder: Path,
    tuned: TunedModel,
    optimizer: torch.optim.Optimizer,
    made_with: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = lambda text: None,
    rank: int = 0,
) -> RunState:
    """Set model, optimizer and generator to the last whole checkpoint; where there is none, nothing changes.

    Args:
        folder: that of the checkpoints.
        tuned: has the weights to set.
        optimizer: has the moments to set.
        made_with: the run as it is about to go on; it has to be what the checkpoint was trained with.
        say: is told of a damaged checkpoint that is passed over, and of what changes the run by rounding.
        rank: the process whose generator this is.

    Raises:
        StorageError: every checkpoint is damaged; the message is about the newest.
        RunError: the run began with other data or settings.
    """
    now = dict(made_with or {})
    found = _last_whole(folder, say)
    if found is None:
        return RunState(made_with=now)
    place, state, weights, tensors = found
    compare(state.made_with, now, str(place), say)
    tuned.load_state(weights)
    _restore_generators(tensors, rank)
    moments = {name: tensor for name, tensor in tensors.items() if not name.startswith(_RANKS)}
    restore_optimizer(tuned, optimizer, moments)
    return state.model_copy(update={"resumed_at": (*state.resumed_at, state.step), "made_with": now})


def _last_whole(folder: Path, say: Callable[[str], None]) -> tuple[Path, RunState, Tensors, Tensors] | None:
    """The newest checkpoint that can be read: where it is, its state, weights and optimizer; None where none is."""
    damaged: list[StorageError] = []
    for step in reversed(_steps(folder)):
        try:
            state = read_record(step / _STATE, RunState, hint=_START_OVER)
            found = step, state, _load(step / _WEIGHTS), _load(step / _OPTIMIZER)
        except StorageError as error:
            damaged.append(error)
            continue
        for fault in damaged:
            say(f"{fault.faults[0]}; training goes on from the checkpoint before, {step.name}")
        return found
    if damaged:
        raise damaged[0]
    return None


def _steps(folder: Path) -> list[Path]:
    """The checkpoints, oldest first."""
    return sorted(folder.glob("step-????????"))


def _generators(rank: int) -> dict[str, torch.Tensor]:
    """The states of a process's random generators: dropout draws from that of its device."""
    states = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    named = {_RNG: torch.get_rng_state()} | {f"{_CUDA_RNG}{number}": state for number, state in enumerate(states)}
    return {f"{_RANKS}{rank}/{name}": state for name, state in named.items()}


def _restore_generators(tensors: dict[str, torch.Tensor], rank: int) -> None:
    """Set the generators of the devices that are here."""
    torch.set_rng_state(tensors[f"{_RANKS}{rank}/{_RNG}"])
    for number in range(torch.cuda.device_count()):
        state = tensors.get(f"{_RANKS}{rank}/{_CUDA_RNG}{number}")
        if state is not None:
            torch.cuda.set_rng_state(state, number)


def _save(tensors: dict[str, torch.Tensor], path: Path) -> None:
    with tensor_storage(path):
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)


@contextmanager
def tensor_storage(path: Path) -> Iterator[None]:
    """`storage_errors` for writers of safetensors, which tell of a full disk in words of their own."""
    with storage_errors(path):
        try:
            yield
        except SafetensorError as error:
            found = re.search(r"os error (\d+)", str(error))
            number = int(found[1]) if found else errno.EIO
            raise OSError(number, os.strerror(number)) from error


def _load(path: Path) -> dict[str, torch.Tensor]:
    try:
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise StorageError(f"{path}: damaged or missing: {error}", hint=_START_OVER) from error


def _keep_only(folder: Path, steps: Sequence[Path]) -> None:
    """Drop all but these checkpoints and the best weights that they name."""
    names = {step.name for step in steps} | {f"best-{best:08d}" for step in steps for best in _best_of(step)}
    for old in folder.iterdir():
        if old.is_dir() and old.name not in names:
            shutil.rmtree(old, ignore_errors=True)


def _best_of(step: Path) -> list[int]:
    try:
        best = read_record(step / _STATE, RunState, hint=_START_OVER).watch.best
    except StorageError:  # it is damaged, and will be passed over
        return []
    return [best.step] if best else []


class SaveClock:
    """Whether the last checkpoint is older than it should be; never, where no minutes are given."""

    def __init__(self, minutes: float | None, now: Callable[[], float] = time.monotonic) -> None:
        self._after_s = math.inf if minutes is None else 60 * minutes
        self._now = now
        self._saved_at = now()

    def is_due(self) -> bool:
        return self._now() - self._saved_at >= self._after_s

    def restart(self) -> None:
        """A checkpoint was just written."""
        self._saved_at = self._now()


_START_OVER = "Remove this run's folder and run the same command again to train from the start."
