"""What a run says when its device has no more memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from instructglm.config.experiment import Experiment
from instructglm.core.errors import RunError
from instructglm.report.estimate import Estimate
from instructglm.report.numerals import size

_OF_CPU = "DefaultCPUAllocator"  # how torch names what has no class of its own
_PARTS = ("weights", "gradients", "optimizer", "activations", "logits", "backward")


@contextmanager
def memory_told(expected: Estimate | None, experiment: Experiment, kept: Callable[[], str] = str) -> Iterator[None]:
    """Turn running out of memory into what had been estimated, what the device has, and what to change.

    Args:
        expected: None where there could be no estimate.
        experiment: Its settings are those to change.
        kept: Tells, when memory is out, what is not lost.

    Raises:
        RunError: memory was out within the block.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and _OF_CPU not in str(error):
            raise
        raise RunError(
            *(_told(expected) if expected else ("out of memory in training; there was no estimate",)),
            hint=f"To take less: {'; '.join(_changes(experiment)[:3])}. {kept()}".rstrip(),
        ) from error


def _told(expected: Estimate) -> tuple[str, str]:
    memory = expected.memory
    known = {name: getattr(memory, name) for name in _PARTS}
    parts = ", ".join(f"{name} {size(value)}" for name, value in known.items() if value is not None)
    total = "not known" if memory.total is None else size(memory.total)
    return (
        f"out of memory in training: the estimate was {total} ({parts}; {size(memory.loading)} while it is loaded)",
        f"the device ({expected.device}) has {size(expected.device_memory)}, of which "
        f"{size(expected.device_memory_available)} was free when the run began",
    )


def _changes(experiment: Experiment) -> list[str]:
    """What takes less memory, the cheapest first; what is at its least already is left out."""
    training, model = experiment.training, experiment.model
    changes = []
    if training.micro_batch_size is None:
        changes.append(f"lower training.tokens_per_micro_batch (it is {training.tokens_per_micro_batch})")
    elif training.micro_batch_size > 1:
        changes.append(f"lower training.micro_batch_size (it is {training.micro_batch_size})")
    if not training.gradient_checkpointing:
        changes.append("set training.gradient_checkpointing to true")
    changes.append(f"lower data.max_length (it is {experiment.data.max_length})")
    if model.dtype == "float32":
        changes.append("set model.dtype to bfloat16")
    if experiment.tuning.method in {"full", "freeze"}:
        changes.append("set tuning.method to lora")
    return [*changes, "take a smaller model"]
