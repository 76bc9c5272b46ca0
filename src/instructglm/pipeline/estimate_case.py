"""An experiment as what an estimate is made of."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from instructglm.config.experiment import Experiment
from instructglm.models.hardware import choose_attention, choose_device, choose_dtype, num_devices
from instructglm.models.loading import outline
from instructglm.models.window import require_window
from instructglm.training.distributed.fleet import fleet_wanted
from instructglm.training.estimate import Case
from instructglm.tuning import loading_dtype
from instructglm.tuning.prefix import num_positions


def case_of(experiment: Experiment, pad_id: int) -> Case:
    """The model and the settings of an experiment on this machine.

    Raises:
        ModelError: the device, or the attention on it, is not to be had.
    """
    device = choose_device(experiment.model.device)
    dtype = choose_dtype(experiment.model.dtype, device)
    attention = choose_attention(experiment.model.attn_implementation, device, experiment.data.max_length)
    return Case(
        outline=partial(outline, experiment.model.name_or_path, attn_implementation=attention),
        tuning=experiment.tuning,
        training=experiment.training,
        device=device,
        dtype=dtype,
        loading_dtype=loading_dtype_of(experiment, dtype),
        quantization=experiment.model.quantization_config,
        seed=experiment.seed,
        pad_id=pad_id,
        max_length=experiment.data.max_length,
        may_be_packed=may_be_packed(experiment),
        fleet=fleet_wanted(experiment.training.distributed, device.type, num_devices(device)),
    )


def require_room(experiment: Experiment) -> None:
    """Refuse, from the model's config alone, what it has no room to read.

    Raises:
        ModelError: there is no such model, or sequences and a prefix are longer than its window.
    """
    model, tuning = outline(experiment.model.name_or_path), experiment.tuning
    in_front = num_positions(model, tuning) if tuning.method == "prefix" else 0
    require_window(model, experiment.data.max_length, in_front)


def loading_dtype_of(experiment: Experiment, dtype: torch.dtype) -> torch.dtype:
    """That in which the model is loaded to be tuned, where the matrix products are in `dtype`."""
    name = experiment.model.name_or_path
    return loading_dtype(experiment.tuning, dtype, lambda kind: outline(name, dtype=kind))


def may_be_packed(experiment: Experiment) -> bool:
    """Whether the settings let rows be packed, where the model can."""
    return experiment.training.packing != "none" and experiment.model.attn_implementation == "auto"


def pad_id_of(tokenizer: Any) -> int:
    """What stands where a row is shorter than the longest."""
    return int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id)
