"""What ends a run that could only go wrong: each stop names the step, what was found, and the next move."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch

from instructglm.core.errors import RunError
from instructglm.tuning.shards import part_here

_LOWER = "Lower training.learning_rate, or set model.dtype to float32."
_OWN_WEIGHTS = (
    "Nothing has moved yet: the model's own weights give this. Try model.dtype float32, or another copy of it."
)
_TOKENS = "See which tokens are trained with `instructglm data preview`."
_RATE = "Raise training.learning_rate, or lower training.warmup_ratio: so small a step is lost in rounding."


def require_finite(step: int, value: float, name: str) -> None:
    """A loss, a gradient or a weight has to be a number; step 0 is the model as it was loaded.

    Raises:
        RunError: it is infinite or no number.
    """
    if not math.isfinite(value):
        raise RunError(f"step {step}: the {name} is {value}", hint=_LOWER if step else _OWN_WEIGHTS)


def require_trained_tokens(step: int, weighted_count: float) -> None:
    """A step has to train something.

    Raises:
        RunError: none of its tokens has a label with a weight.
    """
    if not weighted_count > 0:
        raise RunError(f"step {step}: none of its tokens is trained", hint=_TOKENS)


def require_signal(step: int, loss: float, grad_norm: float) -> None:
    """A step's loss and the norm of its gradient, both finite, have to say something.

    Raises:
        RunError: one of them is exactly 0, so that nothing can be learnt any more.
    """
    if loss == 0.0:
        raise RunError(
            f"step {step}: the loss is exactly 0",
            hint="The model is sure of every trained token: it knows them by heart, or they say nothing. "
            f"{_TOKENS} If it has learnt them, set training.max_steps to less.",
        )
    if grad_norm == 0.0:
        raise RunError(
            f"step {step}: every gradient is exactly 0, with a loss of {loss:.4g}",
            hint="No weight that is tuned takes part in the loss: look at the targets or layers under tuning."
            if step == 1
            else "The steps before were so large that the model is lost: lower training.learning_rate.",
        )


def require_rate(step: int, learning_rates: Sequence[float]) -> None:
    """Of the optimizer's groups, at least one has to move.

    Raises:
        RunError: the learning rate of all is 0 (no schedule here begins or ends at 0).
    """
    if not any(learning_rates):
        raise RunError(f"step {step}: the learning rate is 0, so nothing would move", hint=_RATE)


def fingerprint(weights: Mapping[str, torch.Tensor]) -> tuple[int, ...]:
    """A sum over the bits of each weight: any change shows, and nothing is copied."""
    return tuple(_sum_of_bits(weight) for weight in weights.values())


def _sum_of_bits(weight: torch.Tensor) -> int:
    kind = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[weight.element_size()]
    return int(part_here(weight.detach()).contiguous().view(kind).sum(dtype=torch.int64))


@contextmanager
def moving(weights: Mapping[str, torch.Tensor], step: int, in_any: Callable[[bool], bool] = bool) -> Iterator[None]:
    """Within the block, the first step of a run (the only one looked at) has to change some weight.

    One is enough: in LoRA's first step only B moves, since B = 0 gives A no gradient. `in_any` says of several
    processes, each with its part of the weights, whether it is so in one.

    Raises:
        RunError: not one has changed.
    """
    before = fingerprint(weights) if step == 1 else ()
    yield
    if step == 1 and not in_any(before != fingerprint(weights)):
        raise RunError(f"step {step}: not one of the tuned weights has changed", hint=_RATE)


def require_finite_weights(
    step: int, weights: Mapping[str, torch.Tensor], in_any: Callable[[bool], bool] = bool
) -> None:
    """Look at every tuned weight once, at the end of a run.

    `in_any` says of several processes, each with its part of the weights,
    whether it is so in one.

    Raises:
        RunError: one is infinite or no number.
    """
    wrong = [name for name, weight in weights.items() if not part_here(weight.detach()).isfinite().all()]
    if in_any(bool(wrong)):
        where = ", ".join(wrong[:3]) or "some that another process holds"
        raise RunError(f"step {step}: tuned weights are infinite or no numbers: {where}", hint=_LOWER)
