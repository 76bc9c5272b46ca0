"""How prompts and their outputs become the tensors of one forward pass: packed in a row, or padded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import torch

from instructglm.data.features import Feature
from instructglm.data.templates import IGNORE_INDEX, Encoded
from instructglm.models.shared_prefix import Segments

# Shapes: B rows, T tokens, N labels.


@dataclass(frozen=True, slots=True)
class Batch:
    """One forward pass, and the labels it is trained on: only where there is one, logits are made."""

    input_ids: torch.Tensor  # (B, T)
    position_ids: torch.Tensor  # (B, T)
    predicting: torch.Tensor  # (N,) places in the flattened batch, whose logits predict ...
    labels: torch.Tensor  # (N,) ... these ids
    weights: torch.Tensor  # (N,) float32
    attention_mask: torch.Tensor | None = None  # (B, T) of a padded batch
    segments: Segments | None = None  # of a packed row

    def to(self, device: torch.device) -> Batch:
        """The same on another device. Masks that are made of its segments go with it."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any] = {
            name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in values.items()
        }
        return Batch(**moved | {"segments": self.segments and self.segments.fresh()})

    def idle(self) -> Batch:
        """The same passes, with a loss and a gradient of zero: for a process that waits in step with others."""
        return replace(self, weights=torch.zeros_like(self.weights))

    def num_tokens(self) -> int:
        """Tokens read, padding not counted."""
        return self.input_ids.numel() if self.attention_mask is None else int(self.attention_mask.sum())

    def num_trained(self) -> int:
        """Tokens that carry a label."""
        return len(self.labels)


Sequences = Sequence[tuple[Encoded, float]]


def pack(features: Sequence[Feature]) -> Batch:
    """Prompts one after the other in one row, each once, with all its outputs after it.

    An earlier answer that is trained in a prompt is trained once, with the
    weight that its k copies would have together.
    """
    ids: list[int] = []
    trained: list[tuple[int, int, float]] = []  # where the prediction is made, of which id, and its weight
    for feature in features:
        trained += _trained_in(feature.context, len(ids), sum(feature.weights))
        ids += feature.context.input_ids
        last = len(ids) - 1  # predicts the first id of every output
        for output, weight in zip(feature.outputs, feature.weights, strict=True):
            places = [last, *range(len(ids), len(ids) + len(output) - 1)]
            trained += [(place, label, weight) for place, label in zip(places, output, strict=True)]
            ids += output
    segments = Segments.of([(len(one.context.input_ids), [len(output) for output in one.outputs]) for one in features])
    return Batch(torch.tensor([ids]), segments.positions(), *_columns(trained), segments=segments)


def flatten(features: Sequence[Feature]) -> list[tuple[Encoded, float]]:
    """Every output of every prompt as a sequence with its weight."""
    return [pair for feature in features for pair in feature.sequences()]


def collate(sequences: Sequences, pad_id: int, *, side: Literal["left", "right"] = "right") -> Batch:
    """Pad to the longest sequence."""
    width = max(len(encoded.input_ids) for encoded, _ in sequences)

    def padded(values: Sequence[int], fill: int) -> list[int]:
        blank = [fill] * (width - len(values))
        return [*blank, *values] if side == "left" else [*values, *blank]

    mask = torch.tensor([padded([1] * len(encoded.input_ids), 0) for encoded, _ in sequences])
    trained: list[tuple[int, int, float]] = []
    for row, (encoded, weight) in enumerate(sequences):
        begin = row * width + (width - len(encoded.input_ids) if side == "left" else 0)
        trained += _trained_in(encoded, begin, weight)
    return Batch(
        torch.tensor([padded(encoded.input_ids, pad_id) for encoded, _ in sequences]),
        (mask.cumsum(dim=1) - 1).clamp(min=0),
        *_columns(trained),
        attention_mask=mask,
    )


def _trained_in(encoded: Encoded, begin: int, weight: float) -> Iterator[tuple[int, int, float]]:
    """What is trained in a sequence that stands at `begin`: places, labels and weights."""
    for place, label in enumerate(encoded.labels):
        if label != IGNORE_INDEX and place:  # nothing predicts the first
            yield begin + place - 1, label, weight


def _columns(trained: Sequence[tuple[int, int, float]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    places, labels, weights = zip(*trained, strict=True) if trained else ((), (), ())
    return (
        torch.tensor(places, dtype=torch.long),
        torch.tensor(labels, dtype=torch.long),
        torch.tensor(weights, dtype=torch.float32),
    )


def micro_batches(
    features: Sequence[Feature], size: int | None, pad_id: int, *, packed: bool, max_tokens: int | None = None
) -> list[Batch]:
    """A step's prompts in forward passes of at most `size` sequences (a prompt with one of its outputs).

    Nor do they hold more than `max_tokens`, padding counted; None is no limit. A packed prompt is never parted: one
    that goes beyond a limit is a pass of its own, as is such a sequence among padded ones.
    """
    limit = math.inf if size is None else size
    room = math.inf if max_tokens is None else max_tokens
    if packed:
        return [pack(row) for row in _rows(features, limit, room)]
    # Like lengths go together, so that little is padded.
    alike = sorted(flatten(features), key=lambda pair: len(pair[0].input_ids), reverse=True)
    return [collate(rows, pad_id) for rows in _padded(alike, limit, room)]


def _rows(features: Sequence[Feature], limit: float, room: float) -> Iterator[list[Feature]]:
    row: list[Feature] = []
    num_sequences = num_tokens = 0
    for feature in features:
        num_sequences, num_tokens = num_sequences + len(feature.outputs), num_tokens + feature.num_tokens
        if row and (num_sequences > limit or num_tokens > room):
            yield row
            row, num_sequences, num_tokens = [], len(feature.outputs), feature.num_tokens
        row.append(feature)
    if row:
        yield row


def _padded(alike: Sequences, limit: float, room: float) -> Iterator[Sequences]:
    """The longest come first, so the first of a pass is its width."""
    start = 0
    while start < len(alike):
        width = len(alike[start][0].input_ids)
        size = int(max(1, min(limit, room // width, len(alike))))
        yield alike[start : start + size]
        start += size
