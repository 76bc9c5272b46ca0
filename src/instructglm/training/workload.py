"""What a run has to read, and the largest of its passes, from the encoded examples alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from instructglm.config.training import TrainingSettings
from instructglm.data.features import Feature
from instructglm.data.templates import IGNORE_INDEX
from instructglm.report.estimate import Workload
from instructglm.training.batches import Batch, micro_batches
from instructglm.training.distributed.ranks import Ranks
from instructglm.training.plan import make_plan


def workload(features: Sequence[Feature], settings: TrainingSettings, seed: int, *, packed: bool) -> Workload:
    """Tokens and steps; what the steps of a last, broken epoch read is counted prompt by prompt."""
    plan = make_plan([feature.num_tokens for feature in features], settings, seed)
    read = [_num_read(feature, packed) for feature in features]
    trained = [_num_trained(feature, packed) for feature in features]
    whole = math.floor(plan.epoch(plan.num_steps))
    last = [index for step in range(plan.begin(whole), plan.num_steps) for index in plan.indices(step)]
    return Workload(
        num_prompts=len(features),
        num_sequences=sum(len(feature.outputs) for feature in features),
        num_input_tokens_per_epoch=sum(read),
        num_trained_tokens_per_epoch=sum(trained),
        num_steps_per_epoch=plan.begin(1),
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


def passes(features: Sequence[Feature], settings: TrainingSettings, pad_id: int, *, packed: bool) -> list[Batch]:
    """The forward passes of an optimizer step that reads these prompts."""
    return micro_batches(
        features, settings.micro_batch_size, pad_id, packed=packed, max_tokens=settings.tokens_per_micro_batch
    )


def dealt(features: Sequence[Feature], ranks: Ranks) -> Sequence[Feature]:
    """What of a step's prompts is a process's: longest first, so that all have about as much to do."""
    if ranks.world_size == 1:
        return features
    return ranks.share(sorted(features, key=lambda feature: feature.num_tokens, reverse=True))


def validation_passes(
    features: Sequence[Feature], settings: TrainingSettings, pad_id: int, *, packed: bool
) -> list[Batch]:
    """Those of a validation check."""
    size, most = validation_size(settings), settings.tokens_per_micro_batch
    return micro_batches(features, size, pad_id, packed=packed, max_tokens=most)


def validation_size(settings: TrainingSettings) -> int | None:
    """Sequences of a validation pass, of which nothing is kept for a way back; None where tokens alone count."""
    return settings.micro_batch_size and _VALIDATION_FACTOR * settings.micro_batch_size


def largest_batch(
    features: Sequence[Feature], settings: TrainingSettings, pad_id: int, *, packed: bool, num_processes: int = 1
) -> Batch:
    """The largest forward pass that may come: of a step of the longest prompts, whatever the order brings together.

    Where prompts have unequal lengths or numbers of outputs, some other mixture of them may fill a pass a little
    better. Of several processes, it is a pass of the first: it is dealt the longest.
    """
    first = Ranks(0, num_processes)
    rooms = [_room_of_a_step(settings)]
    if packed:  # a row that is full to its limit
        rooms.append(min(rooms[0], num_processes * settings.tokens_per_micro_batch))
    steps = [_filling(sorted(features, key=order, reverse=True), settings, room) for order in _LONG for room in rooms]
    batches = [batch for step in steps for batch in passes(dealt(step, first), settings, pad_id, packed=packed)]
    return max(batches, key=_numel)


def largest_validation_batch(
    features: Sequence[Feature], settings: TrainingSettings, pad_id: int, *, packed: bool
) -> Batch | None:
    """The largest pass of a validation check; None where nothing is held out for it."""
    return max(validation_passes(features, settings, pad_id, packed=packed), key=_numel, default=None)


def longest_step(features: Sequence[Feature], settings: TrainingSettings) -> list[Feature]:
    """The longest prompts that one optimizer step may bring together."""
    longest = sorted(features, key=lambda feature: feature.num_tokens, reverse=True)
    return _filling(longest, settings, _room_of_a_step(settings))


def longest_alone(features: Sequence[Feature], *, packed: bool) -> int:
    """Tokens of the largest pass where no prompt has another beside it; padded, no sequence."""
    return max(feature.num_tokens if packed else _longest_sequence(feature) for feature in features)


def most_sequences(features: Sequence[Feature], settings: TrainingSettings) -> int:
    """That one optimizer step may bring together."""
    by_tokens = settings.tokens_per_batch is not None
    many = sorted(features, key=lambda one: len(one.outputs) / (one.num_tokens if by_tokens else 1), reverse=True)
    return sum(len(feature.outputs) for feature in _filling(many, settings, _room_of_a_step(settings)))


def _room_of_a_step(settings: TrainingSettings) -> float:
    """Tokens."""
    return math.inf if settings.tokens_per_batch is None else settings.tokens_per_batch


def _filling(features: Sequence[Feature], settings: TrainingSettings, room: float) -> list[Feature]:
    """The first, and each after it for which there is room, of as many prompts as a step may have."""
    chosen: list[Feature] = []
    for feature in features:
        if len(chosen) == settings.batch_size:
            break
        if not chosen or feature.num_tokens <= room:
            chosen.append(feature)
            room -= feature.num_tokens
    return chosen


def _numel(batch: Batch) -> int:
    return batch.input_ids.numel()


def _longest_sequence(feature: Feature) -> int:
    return len(feature.context.input_ids) + max(map(len, feature.outputs))


_VALIDATION_FACTOR = 4
_LONG: tuple[Callable[[Feature], float], ...] = (
    lambda feature: feature.num_tokens,
    lambda feature: feature.num_tokens / len(feature.outputs),
    _longest_sequence,
    lambda feature: len(feature.outputs) * _longest_sequence(feature) / feature.num_tokens,
)  # what a long prompt is: for a row, for the share of a row that it takes, and for padding, as it is and for a token
