"""What a run will take, from its settings: parameters, bytes by part, tokens and steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from instructglm.config.training import TrainingSettings
from instructglm.config.tuning import Tuning
from instructglm.data.features import Feature
from instructglm.data.templates import IGNORE_INDEX, Encoded
from instructglm.models.memory import device_memory
from instructglm.report.estimate import Estimate, MemoryEstimate, Workload
from instructglm.training.batches import Batch, micro_batches
from instructglm.training.packing import exchange_attention
from instructglm.training.plan import make_plan
from instructglm.training.rehearsal import PassMemory, rehearse
from instructglm.tuning import METHODS, TunedModel

OPTIMIZER_BYTES: dict[str, int] = {"adamw": 8}
"""Bytes of state that each optimizer keeps for a parameter that moves: AdamW has two float32 moments."""
_LOADED_BYTES = 4  # of a parameter while the model is loaded: float32, whatever it becomes
_ANY_ID = 7  # stands for a token where there are no data


@dataclass(frozen=True)
class Case:
    """What an estimate is made of."""

    outline: Callable[[], PreTrainedModel]
    """Makes the model anew, on the meta device."""
    tuning: Tuning
    training: TrainingSettings
    device: torch.device
    dtype: torch.dtype
    seed: int
    pad_id: int
    max_length: int
    may_be_packed: bool
    """Whether the settings let rows be packed, where the model can."""


def estimate(
    case: Case, features: Sequence[Feature] | None, missing: dict[str, str] | None = None, packed: bool | None = None
) -> Estimate:
    """A run on these training examples; where there are none, on rows of `max_length` tokens.

    Args:
        case: The model and the settings.
        features: None where they cannot be had; `missing` then says why.
        missing: What could not be told so far, and why.
        packed: None where it is not known yet; it is then supposed of every model that may be.

    Raises:
        ModelError: the model cannot be tuned so.
    """
    tuned, missing = _tuned(case), dict(missing or {})
    rows = list(features) if features else _stand_ins(case, tuned.model.config)
    weights = _Weights.of(tuned, case.training.optimizer)
    if packed is None:
        packed = case.may_be_packed
    packed = packed and exchange_attention(tuned, rows) is None
    passed = _rehearsed(case, tuned, rows, packed)
    if packed and isinstance(passed, Exception):  # what a model that knows nothing of segments may raise
        packed = False
        passed = _rehearsed(case, _tuned(case), rows, packed)
    if isinstance(passed, Exception):
        missing["memory.activations"] = next(iter(str(passed).splitlines()), "") or type(passed).__name__
    batch = largest_batch(rows, case.training, case.pad_id, packed=packed)
    memory = device_memory(case.device)
    return Estimate(
        method=case.tuning.method,
        dtype=str(case.dtype).removeprefix("torch."),
        num_trainable_parameters=weights.num_trainable,
        num_parameters=weights.num_parameters,
        packed=packed,
        num_rows=batch.input_ids.shape[0],
        num_row_tokens=batch.input_ids.shape[1],
        memory=_memory(weights, None if isinstance(passed, Exception) else passed),
        device=case.device.type,
        device_memory=memory.total,
        device_memory_available=memory.available,
        workload=workload(features, case.training, case.seed, packed=packed) if features else None,
        missing=missing,
    )


def _tuned(case: Case) -> TunedModel:
    """The method applied to the model, on the meta device."""
    with torch.device("meta"):
        tuned: TunedModel = METHODS[case.tuning.method](case.outline(), case.tuning, dtype=case.dtype, seed=case.seed)
    return tuned


def _rehearsed(case: Case, tuned: TunedModel, rows: Sequence[Feature], packed: bool) -> PassMemory | Exception:
    """The largest pass, or why it cannot be played through; a model is no worse for it, and this one of no use."""
    batch = largest_batch(rows, case.training, case.pad_id, packed=packed)
    checkpointing = case.training.gradient_checkpointing
    if checkpointing and tuned.against_checkpointing:
        tuned.checkpoint_gradients()  # says what is wrong with the settings
    try:
        return rehearse(tuned, batch, case.device, case.dtype, gradient_checkpointing=checkpointing)
    except Exception as error:  # a model may ask its tensors for numbers, which these have not
        return error


def largest_batch(features: Sequence[Feature], settings: TrainingSettings, pad_id: int, *, packed: bool) -> Batch:
    """The largest forward pass that may come: of a step of the longest prompts, whatever the order brings together.

    Where prompts have unequal numbers of outputs, some other mixture of them may fill a pass a little better.
    """
    steps = [sorted(features, key=order, reverse=True)[: settings.batch_size] for order in _LONG]
    batches = [
        batch for step in steps for batch in micro_batches(step, settings.micro_batch_size, pad_id, packed=packed)
    ]
    return max(batches, key=lambda batch: batch.input_ids.numel())


def num_tokens(feature: Feature) -> int:
    """Of a prompt with all its outputs."""
    return len(feature.context.input_ids) + sum(map(len, feature.outputs))


_LONG: tuple[Callable[[Feature], float], ...] = (
    num_tokens,
    lambda feature: num_tokens(feature) / len(feature.outputs),
    lambda feature: len(feature.context.input_ids) + max(map(len, feature.outputs)),
)  # what a long prompt is: for a row, for the share of a row that it takes, and for padding


def _stand_ins(case: Case, config: Any) -> list[Feature]:
    """Prompts of one output each, as long as the settings allow; half of each is trained."""
    half = case.max_length // 2
    end = [config.gmask_token_id, config.bos_token_id] if hasattr(config, "gmask_token_id") else []
    context = [*[_ANY_ID] * (half - len(end)), *end]
    one = Feature("", Encoded.untrained(context), [[_ANY_ID] * (case.max_length - half)], [1.0])
    return [one] * case.training.batch_size


@dataclass(frozen=True)
class _Weights:
    """What stands for the whole run: numbers of parameters, and bytes."""

    num_trainable: int
    num_parameters: int
    weights: int
    gradients: int
    optimizer: int

    @classmethod
    def of(cls, tuned: TunedModel, optimizer: str) -> _Weights:
        moving = tuned.trainable().values()
        return cls(
            tuned.num_trainable(),
            tuned.num_parameters(),
            _num_bytes([*tuned.model.parameters(), *tuned.model.buffers()]),
            _num_bytes(moving),
            tuned.num_trainable() * OPTIMIZER_BYTES[optimizer],
        )


def _num_bytes(tensors: Iterable[torch.Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _memory(of: _Weights, passed: PassMemory | None) -> MemoryEstimate:
    loading = of.num_parameters * _LOADED_BYTES
    beside = None if passed is None else passed.activations + passed.logits + passed.backward
    return MemoryEstimate(
        weights=of.weights,
        gradients=of.gradients,
        optimizer=of.optimizer,
        activations=None if passed is None else passed.activations,
        logits=None if passed is None else passed.logits,
        backward=None if passed is None else passed.backward,
        loading=loading,
        total=None if beside is None else max(loading, of.weights + of.gradients + of.optimizer + beside),
    )


def workload(features: Sequence[Feature], settings: TrainingSettings, seed: int, *, packed: bool) -> Workload:
    """Tokens and steps; what the steps of a last, broken epoch read is counted prompt by prompt."""
    plan = make_plan(len(features), settings, seed)
    read = [_num_read(feature, packed) for feature in features]
    trained = [_num_trained(feature, packed) for feature in features]
    whole, rest = divmod(plan.num_steps, plan.steps_per_epoch)
    last = [index for step in range(plan.num_steps - rest, plan.num_steps) for index in plan.indices(step)]
    return Workload(
        num_prompts=len(features),
        num_sequences=sum(len(feature.outputs) for feature in features),
        num_input_tokens_per_epoch=sum(read),
        num_trained_tokens_per_epoch=sum(trained),
        num_steps_per_epoch=plan.steps_per_epoch,
        num_steps=plan.num_steps,
        num_input_tokens=whole * sum(read) + sum(read[index] for index in last),
        num_trained_tokens=whole * sum(trained) + sum(trained[index] for index in last),
    )


def _num_read(feature: Feature, packed: bool) -> int:
    copies = 1 if packed else len(feature.outputs)
    return copies * len(feature.context.input_ids) + sum(map(len, feature.outputs))


def _num_trained(feature: Feature, packed: bool) -> int:
    copies = 1 if packed else len(feature.outputs)
    in_context = sum(label != IGNORE_INDEX for label in feature.context.labels[1:])
    return copies * in_context + sum(map(len, feature.outputs))
