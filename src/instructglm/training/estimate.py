"""What a run will take, from its settings: parameters, and bytes by part."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import PreTrainedModel

from instructglm.config.model import Quantization
from instructglm.config.training import TrainingSettings
from instructglm.config.tuning import Tuning
from instructglm.data.features import Feature
from instructglm.data.templates import Encoded
from instructglm.models.memory import device_memory
from instructglm.models.quantization import bytes_in_few_bits, weights_in_few_bits
from instructglm.report.estimate import Estimate, MemoryEstimate
from instructglm.training.distributed.fleet import Fleet
from instructglm.training.optimizer_bytes import optimizer_bytes
from instructglm.training.packing import exchange_attention
from instructglm.training.rehearsal import PassMemory, rehearse
from instructglm.training.workload import largest_batch, largest_validation_batch, validation_size, workload
from instructglm.tuning import METHODS, TunedModel

_ANY_ID = 7  # stands for a token where there are no data
_WHOLE_LAYERS = "beside the parts, fsdp holds the layers that are being computed as a whole, with their gradients"


@dataclass(frozen=True)
class Case:
    """What an estimate is made of."""

    outline: Callable[[], PreTrainedModel]
    """Makes the model anew, on the meta device."""
    tuning: Tuning
    training: TrainingSettings
    device: torch.device
    dtype: torch.dtype
    loading_dtype: torch.dtype
    """Of the weights when they are loaded, whatever they become."""
    quantization: Quantization | None
    """Of the weights that do not move."""
    seed: int
    pad_id: int
    max_length: int
    may_be_packed: bool
    """Whether the settings let rows be packed, where the model can."""
    fleet: Fleet = field(default_factory=Fleet)
    """The processes that train together; what is told is of one of them."""

    @property
    def num_processes(self) -> int:
        return self.fleet.world_size

    @property
    def parted(self) -> bool:
        """Whether each process has a part of the weights only."""
        return self.num_processes > 1 and self.fleet.strategy == "fsdp"

    @property
    def sent(self) -> bool:
        """Whether gradients have a copy, in which they go to the other processes."""
        return self.num_processes > 1 and self.fleet.strategy == "ddp"


def estimate(
    case: Case,
    features: Sequence[Feature] | None,
    validation: Sequence[Feature] = (),
    *,
    missing: dict[str, str] | None = None,
    packed: bool | None = None,
) -> Estimate:
    """A run on these training examples; where there are none, on rows of `max_length` tokens.

    Args:
        case: The model and the settings.
        features: None where they cannot be had; `missing` then says why.
        validation: What the loss is watched on.
        missing: What could not be told so far, and why.
        packed: None where it is not known yet; it is then supposed of every model that may be.

    Raises:
        ModelError: the model cannot be tuned so.
    """
    missing = dict(missing or {})
    rows, watched = (list(features), list(validation)) if features else _stand_ins(case)
    weights, packed, passed = _rehearsed(case, rows, watched, packed)
    if isinstance(passed, str):
        missing["memory.activations"] = f"a pass cannot be played through without numbers: {passed}"
    if case.parted:
        missing["memory.step"] = _WHOLE_LAYERS
    batch = largest_batch(rows, case.training, case.pad_id, packed=packed, num_processes=case.num_processes)
    memory = device_memory(case.device)
    sharers = case.fleet.processes if case.device.type == "cpu" else 1
    return Estimate(
        method=case.tuning.method,
        dtype=str(case.dtype).removeprefix("torch."),
        num_trainable_parameters=weights.num_trainable,
        num_parameters=weights.num_parameters,
        packed=packed,
        num_rows=batch.input_ids.shape[0],
        num_row_tokens=batch.input_ids.shape[1],
        memory=_memory(weights, None if isinstance(passed, str) else passed, told_together=not case.parted),
        device=case.device.type,
        device_memory=memory.total // sharers,
        device_memory_available=memory.available // sharers,
        strategy=case.fleet.strategy if case.num_processes > 1 else None,
        num_processes=case.num_processes,
        workload=workload(features, case.training, case.seed, packed=packed) if features else None,
        missing=missing,
    )


def _rehearsed(
    case: Case, rows: Sequence[Feature], watched: Sequence[Feature], packed: bool | None
) -> tuple[_Weights, bool, PassMemory | str]:
    """What stands for the whole run, whether rows are packed, and the largest pass, or why it cannot be played."""
    model = case.outline()
    few_bits = {id(weight) for weight in weights_in_few_bits(model)} if case.quantization else set()
    tuned = _tuned(case, model)
    weights = _Weights.of(tuned, case, few_bits)
    wanted = case.may_be_packed if packed is None else packed
    possible = wanted and exchange_attention(tuned, rows) is None
    passed = _pass(case, tuned, rows, watched, possible)
    if packed is None and possible and isinstance(passed, str):  # a model that knows nothing of segments
        possible, passed = False, _pass(case, _tuned(case, case.outline()), rows, watched, False)
    return weights, possible, passed


def _tuned(case: Case, model: PreTrainedModel) -> TunedModel:
    """The method applied to the model, on the meta device."""
    with torch.device("meta"):
        tuned: TunedModel = METHODS[case.tuning.method](model, case.tuning, dtype=case.dtype, seed=case.seed)
    return tuned


def _pass(
    case: Case, tuned: TunedModel, rows: Sequence[Feature], watched: Sequence[Feature], packed: bool
) -> PassMemory | str:
    """The largest pass, after which `tuned` is of no use; or why it cannot be played: the run is no worse for it."""
    batch = largest_batch(rows, case.training, case.pad_id, packed=packed, num_processes=case.num_processes)
    validation = largest_validation_batch(watched, case.training, case.pad_id, packed=packed)
    checkpointing = case.training.gradient_checkpointing
    if checkpointing and tuned.against_checkpointing:
        tuned.checkpoint_gradients()  # says what is wrong with the settings
    if case.quantization:
        return "its layers of 4 bits compute in bitsandbytes; --probe measures one"
    try:
        return rehearse(tuned, batch, validation, case.device, case.dtype, gradient_checkpointing=checkpointing)
    except Exception as error:  # a model may ask its tensors for numbers, which these have not
        return next(iter(str(error).splitlines()), "") or type(error).__name__


def _stand_ins(case: Case) -> tuple[list[Feature], list[Feature]]:
    """Prompts to train on and to validate with, of one output each, as long as the settings allow; half is trained."""
    config: Any = case.outline().config
    settings = case.training
    length = min(case.max_length, settings.tokens_per_batch or case.max_length)
    half = length // 2
    end = [config.gmask_token_id, config.bos_token_id] if hasattr(config, "gmask_token_id") else []
    context = [*[_ANY_ID] * (half - len(end)), *end]
    one = Feature("", Encoded.untrained(context), [[_ANY_ID] * (length - half)], [1.0])
    in_a_step = settings.batch_size or (settings.tokens_per_batch or length) // length
    in_a_check = validation_size(settings) or max(1, settings.tokens_per_micro_batch // length)
    return [one] * in_a_step, [one] * in_a_check


@dataclass(frozen=True)
class _Weights:
    """What stands for the whole run: numbers of parameters, and bytes."""

    num_trainable: int
    num_parameters: int
    weights: int
    gradients: int
    sent: int
    optimizer: int
    loading: int

    @property
    def standing(self) -> int:
        return self.weights + self.gradients + self.sent + self.optimizer

    @classmethod
    def of(cls, tuned: TunedModel, case: Case, few_bits: set[int]) -> _Weights:
        """`few_bits` are the ids of weights that will be quantized."""
        weights, loading = _standing_and_loading(tuned, case, few_bits)
        gradients, optimizer = _num_bytes(tuned.trainable().values()), optimizer_bytes(tuned, case.training)
        if case.parted:
            part = _num_bytes(tuned.trainable().values(), case.num_processes)
            weights = _num_bytes(tuned.model.parameters(), case.num_processes) + _num_bytes(tuned.model.buffers())
            gradients, optimizer = part, round(optimizer * part / gradients)
        sent = gradients if case.sent else 0
        return cls(tuned.num_trainable(), tuned.num_parameters(), weights, gradients, sent, optimizer, loading)


def _standing_and_loading(tuned: TunedModel, case: Case, few_bits: set[int]) -> tuple[int, int]:
    """Bytes of all weights as they stay, and at once while they are loaded: quantized ones one after the other."""
    rest = [weight for weight in tuned.model.parameters() if id(weight) not in few_bits]
    weights = _num_bytes([*rest, *tuned.model.buffers()])
    if case.quantization is None:
        return weights, tuned.num_parameters() * case.loading_dtype.itemsize
    quantized = [weight.numel() for weight in tuned.model.parameters() if id(weight) in few_bits]
    weights += sum(bytes_in_few_bits(number, case.quantization) for number in quantized)
    return weights, weights + max(quantized, default=0) * case.dtype.itemsize


def _num_bytes(tensors: Iterable[torch.Tensor], num_processes: int = 1) -> int:
    """Of the tensors; or of what the first of several processes has of their rows, which is the most."""
    rows = ((tensor, len(tensor) if tensor.ndim else 1) for tensor in tensors)
    return sum(
        math.ceil(number / num_processes) * (tensor.numel() // max(number, 1)) * tensor.element_size()
        for tensor, number in rows
    )


def _memory(of: _Weights, passed: PassMemory | None, *, told_together: bool) -> MemoryEstimate:
    known = passed if told_together else None
    step = None if known is None else of.standing + known.activations + known.logits + known.backward
    validation = None if known is None else of.weights + of.sent + of.optimizer + known.validation
    return MemoryEstimate(
        weights=of.weights,
        gradients=of.gradients + of.sent,
        optimizer=of.optimizer,
        activations=None if passed is None else passed.activations,
        logits=None if passed is None else passed.logits,
        backward=None if passed is None else passed.backward,
        step=step,
        validation=validation,
        loading=of.loading,
        total=None if step is None or validation is None else max(step, validation, of.loading),
    )
