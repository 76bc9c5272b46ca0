"""What a run has to read, and the largest of its passes, from the encoded examples alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from instructglm.config.training import TrainingSettings
from instructglm.data.features import Feature
from instructglm.data.templates import IGNORE_INDEX
from instructglm.report.estimate import Workload
from instructglm.training.batches import Batch, micro_batches
from instructglm.training.plan import make_plan


def workload(features: Sequence[Feature], settings: TrainingSettings, seed: int, *, packed: bool) -> Workload:
    """Tokens and steps; what the steps of a last, broken epoch read is counted prompt by prompt."""
    plan = make_plan([feature.num_tokens for feature in features], settings, seed)
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


def largest_batch(features: Sequence[Feature], settings: TrainingSettings, pad_id: int, *, packed: bool) -> Batch:
    """The largest forward pass that may come: of a step of the longest prompts, whatever the order brings together.

    Where prompts have unequal numbers of outputs, some other mixture of them may fill a pass a little better.
    """
    steps = [sorted(features, key=order, reverse=True)[: settings.batch_size] for order in _LONG]
    batches = [
        batch for step in steps for batch in micro_batches(step, settings.micro_batch_size, pad_id, packed=packed)
    ]
    return max(batches, key=lambda batch: batch.input_ids.numel())


VALIDATION_FACTOR = 4
"""So many times `micro_batch_size` sequences go through a validation pass, which keeps nothing for a way back."""


def largest_validation_batch(
    features: Sequence[Feature], settings: TrainingSettings, pad_id: int, *, packed: bool
) -> Batch | None:
    """The largest pass of a validation check; None where nothing is held out for it."""
    size = VALIDATION_FACTOR * settings.micro_batch_size
    batches = micro_batches(features, size, pad_id, packed=packed) if features else []
    return max(batches, key=lambda batch: batch.input_ids.numel(), default=None)


def num_tokens(feature: Feature) -> int:
    """Of a prompt with all its outputs."""
    return len(feature.context.input_ids) + sum(map(len, feature.outputs))


_LONG: tuple[Callable[[Feature], float], ...] = (
    num_tokens,
    lambda feature: num_tokens(feature) / len(feature.outputs),
    lambda feature: len(feature.context.input_ids) + max(map(len, feature.outputs)),
)  # what a long prompt is: for a row, for the share of a row that it takes, and for padding
