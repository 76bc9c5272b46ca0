"""How many bytes of state each optimizer keeps for a weight that moves, a count of its steps left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from instructglm.config.training import TrainingSettings
from instructglm.tuning import TunedModel

_FLOAT = 4
_BLOCK = 256  # numbers of 8 bits that have a scale together, in bitsandbytes
_MIN_8BIT_SIZE = 4096  # its own default
_QMAP = 256 * _FLOAT  # the numbers that 8 bits stand for: one table for the optimizer, for each kind of state

_Arguments = Mapping[str, Any]  # training.optim_args


def optimizer_bytes(tuned: TunedModel, settings: TrainingSettings) -> int:
    """Of the whole state after a step, whatever device `tuned` is on."""
    arguments, of = settings.optim_args, OPTIMIZER_BYTES[settings.optimizer]
    embeddings = {id(module.weight) for module in tuned.model.modules() if isinstance(module, nn.Embedding)}
    least = int(arguments.get("min_8bit_size", _MIN_8BIT_SIZE))
    weights = [
        (weight.shape, id(weight) in embeddings or weight.numel() < least) for weight in tuned.trainable().values()
    ]
    tables = 0 if all(exact for _, exact in weights) else _TABLES.get(settings.optimizer, 0)
    return tables + sum(of(shape, arguments, exact) for shape, exact in weights)


def _floats(count: int, *, more: Callable[[_Arguments], int] = lambda _: 0) -> Callable[..., int]:
    """So many float32 numbers for each parameter, and `more`, as the arguments say."""

    def of(shape: torch.Size, arguments: _Arguments, exact: bool) -> int:
        return (count + more(arguments)) * _FLOAT * shape.numel()

    return of


def _eight_bits(count: int) -> Callable[..., int]:
    """So many bytes for each parameter, and a scale for each block; small weights and embeddings in float32."""

    def of(shape: torch.Size, arguments: _Arguments, exact: bool) -> int:
        size = shape.numel()
        return count * (_FLOAT * size if exact else size + _FLOAT * math.ceil(size / _BLOCK))

    return of


def _adafactor(shape: torch.Size, arguments: _Arguments, exact: bool) -> int:
    """The second moment of a matrix as a row and a column (Shazeer & Stern 2018, arXiv:1804.04235)."""
    size = shape.numel()
    second = size // shape[-1] + size // shape[-2] if len(shape) > 1 else size
    return _FLOAT * (second + (0 if arguments.get("beta1") is None else size))


OPTIMIZER_BYTES: dict[str, Callable[[torch.Size, _Arguments, bool], int]] = {
    "adamw": _floats(2, more=lambda given: bool(given.get("amsgrad"))),
    "adamw_8bit": _eight_bits(2),
    "paged_adamw_32bit": _floats(2),
    "paged_adamw_8bit": _eight_bits(2),
    "lion_32bit": _floats(1),
    "lion_8bit": _eight_bits(1),
    "adafactor": _adafactor,
    "sgd": _floats(0, more=lambda given: bool(given.get("momentum"))),
    "adagrad": _floats(1),
    "rmsprop": _floats(1, more=lambda given: bool(given.get("momentum")) + bool(given.get("centered"))),
}
"""Bytes for a weight of a shape, and whether bitsandbytes keeps 32 bits for it whatever the optimizer is."""
_TABLES = {"adamw_8bit": 2 * _QMAP, "paged_adamw_8bit": 2 * _QMAP, "lion_8bit": _QMAP}
