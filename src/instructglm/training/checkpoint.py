"""Checkpoints: everything that a run needs to go on bit by bit, in safetensors and JSON."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from instructglm.core.errors import StorageError
from instructglm.core.files import staged_folder, storage_errors, write_text
from instructglm.core.records import Record, read_record
from instructglm.training.distributed.ranks import Ranks
from instructglm.training.monitor import Watch
from instructglm.tuning import TunedModel
from instructglm.tuning.shards import part_of, whole

_STATE, _WEIGHTS, _OPTIMIZER = "state.json", "weights.safetensors", "optimizer.safetensors"
_RNG = "rng"
_CUDA_RNG = "cuda_rng/"  # and the number of the device
_OF_RANK = "rank{}/"  # stands before both


class RunState(Record):
    """Where a run stands, apart from its tensors."""

    step: int = 0
    watch: Watch = Watch()
    num_input_tokens: int = 0
    num_trained_tokens: int = 0
    seconds: float = 0.0
    resumed_at: tuple[int, ...] = ()


def save_checkpoint(
    folder: Path, tuned: TunedModel, optimizer: torch.optim.Optimizer, state: RunState, ranks: Ranks
) -> None:
    """Write `step-N` whole, then drop what is older. All processes take part, the first writes.

    Raises:
        StorageError: the disk is full; the older checkpoint is intact.
    """
    weights, moments = tuned.state(ranks.is_first), _optimizer_tensors(tuned, optimizer, ranks.is_first)
    generators = ranks.collect(_generators(ranks.rank))
    if not ranks.is_first:
        return
    with staged_folder(folder / f"step-{state.step:08d}") as staged:
        _save(weights, staged / _WEIGHTS)
        _save(
            {name: tensor for tensors in (moments, *generators) for name, tensor in tensors.items()},
            staged / _OPTIMIZER,
        )
        write_text(staged / _STATE, state.model_dump_json(indent=2))
    best = state.watch.best.step if state.watch.best else -1
    _keep_only(folder, {f"step-{state.step:08d}", f"best-{best:08d}"})


def save_best(folder: Path, tuned: TunedModel, step: int, ranks: Ranks) -> None:
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


def resume(folder: Path, tuned: TunedModel, optimizer: torch.optim.Optimizer, rank: int = 0) -> RunState:
    """Set model, optimizer and this process's generator to the last checkpoint; where there is none, nothing changes.

    Raises:
        StorageError: the checkpoint is damaged.
    """
    steps = sorted(folder.glob("step-????????"))
    if not steps:
        return RunState()
    tuned.load_state(_load(steps[-1] / _WEIGHTS))
    tensors = _load(steps[-1] / _OPTIMIZER)
    _restore_generators(tensors, rank)
    _restore_optimizer(tuned, optimizer, tensors)
    return _read_state(steps[-1] / _STATE)


def _read_state(path: Path) -> RunState:
    state = read_record(path, RunState, hint=_START_OVER)
    return state.model_copy(update={"resumed_at": (*state.resumed_at, state.step)})


def _generators(rank: int) -> dict[str, torch.Tensor]:
    """The states of a process's random generators: dropout draws from that of its device."""
    states = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    named = {_RNG: torch.get_rng_state()} | {f"{_CUDA_RNG}{number}": state for number, state in enumerate(states)}
    return {f"{_OF_RANK.format(rank)}{name}": state for name, state in named.items()}


def _restore_generators(tensors: dict[str, torch.Tensor], rank: int) -> None:
    """Set the generators of the devices that are here."""
    torch.set_rng_state(tensors[f"{_OF_RANK.format(rank)}{_RNG}"])
    for number in range(torch.cuda.device_count()):
        state = tensors.get(f"{_OF_RANK.format(rank)}{_CUDA_RNG}{number}")
        if state is not None:
            torch.cuda.set_rng_state(state, number)


def _optimizer_tensors(tuned: TunedModel, optimizer: torch.optim.Optimizer, keep: bool) -> dict[str, torch.Tensor]:
    named = (
        (f"{name}/{key}", whole(torch.as_tensor(value).detach()))
        for name, weight in tuned.trainable().items()
        for key, value in optimizer.state.get(weight, {}).items()
    )
    return {name: value.cpu() for name, value in named if keep}


def _restore_optimizer(tuned: TunedModel, optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    for name, weight in tuned.trainable().items():
        keys = [key for key in tensors if key.rpartition("/")[0] == name]
        optimizer.state[weight] = {key.rpartition("/")[2]: part_of(tensors[key], weight) for key in keys}


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


def _keep_only(folder: Path, names: set[str]) -> None:
    for old in folder.iterdir():
        if old.is_dir() and old.name not in names:
            shutil.rmtree(old, ignore_errors=True)


_START_OVER = "Remove this run's folder and run the same command again to train from the start."
