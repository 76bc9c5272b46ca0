"""Layers through torch's compiler, tried out on the model: a wrong gradient would say nothing."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from instructglm.core.errors import RunError
from instructglm.data.features import Feature
from instructglm.training.batches import Batch, micro_batches
from instructglm.training.loss import arithmetic, has_plain_head, weighted_nats
from instructglm.training.setting import Setting
from instructglm.tuning import TunedModel, decoder_layers

_NUM_TRIED = 2  # prompts
_OF_THE_LOSS = {torch.float32: 1e-3, torch.bfloat16: 0.05}
_OF_THE_GRADIENTS = {torch.float32: 1e-2, torch.bfloat16: 0.1}  # of their norm: rounding adds up from layer to layer
_Outcome = tuple[float, torch.Tensor]


def compile_layers(tuned: TunedModel, features: Sequence[Feature], setting: Setting) -> None:
    """Compile every transformer layer in place, for rows of any length; names of weights stay as they are.

    The shortest prompts are read before and after: loss and gradients must be
    the same. What stands between the layers is not compiled, so that
    exchanging the head and looking at segments of a row need no new code.

    Raises:
        RunError: the compiler cannot do it, or does something else.
    """
    shortest = sorted(features, key=lambda one: one.num_tokens)[:_NUM_TRIED]
    batch = micro_batches(shortest, 2 * _NUM_TRIED, setting.pad_id, packed=setting.packed)[0].to(setting.device)
    training = tuned.model.training
    try:
        expected = _outcome(tuned, batch, setting, training=False)
        for layer in decoder_layers(tuned.model):
            layer.compile(dynamic=True)
        found = _compiled_outcome(tuned, batch, setting)
    finally:
        tuned.model.train(training)
    _require_equal(expected, found, setting.dtype)


def _compiled_outcome(tuned: TunedModel, batch: Batch, setting: Setting) -> _Outcome:
    """That of evaluation mode, where nothing is dropped at random; training mode has code of its own."""
    devices = [setting.device] if setting.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices):
            _outcome(tuned, batch, setting, training=True)
        return _outcome(tuned, batch, setting, training=False)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # whatever a compiler may fail at
        cause = getattr(error, "inner_exception", None) or error
        first = next(iter(str(cause).strip().splitlines()), "")
        raise _refused(f"cannot be compiled here: {type(cause).__name__}: {first}") from error


def _outcome(tuned: TunedModel, batch: Batch, setting: Setting, *, training: bool) -> _Outcome:
    """The loss and all gradients in one row; none stays with the model."""
    tuned.model.train(training)
    with arithmetic(setting.device, setting.dtype):
        loss = weighted_nats(tuned.model, batch, plain_head=has_plain_head(tuned.model, batch))
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = [weight.grad.flatten() for weight in tuned.trainable().values() if weight.grad is not None]
    tuned.model.zero_grad(set_to_none=True)
    return loss.item(), torch.cat(gradients)


def _require_equal(expected: _Outcome, found: _Outcome, dtype: torch.dtype) -> None:
    if not abs(found[0] - expected[0]) <= _OF_THE_LOSS[dtype] * abs(expected[0]):
        raise _refused(f"has a loss of {found[0]:.6g} when compiled, and of {expected[0]:.6g} when not")
    apart, norm = float((found[1] - expected[1]).norm()), float(expected[1].norm())
    if not apart <= _OF_THE_GRADIENTS[dtype] * norm:
        raise _refused(f"has gradients when compiled that differ by {apart:.2g} from those of norm {norm:.2g}")


def _refused(reason: str) -> RunError:
    return RunError(
        f"training.torch_compile is true, and this model {reason}",
        hint="Set training.torch_compile to false. On a CPU it needs a C++ compiler: g++ or clang.",
    )
