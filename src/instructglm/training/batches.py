"""Which sequences a step reads, and how they become tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from instructglm.config.training import TrainingSettings
from instructglm.core.seeds import derived_seed
from instructglm.data.features import Feature
from instructglm.data.templates import IGNORE_INDEX, Encoded

# Shapes: B sequences, T tokens, C columns that hold a label somewhere in the batch.


@dataclass(frozen=True, slots=True)
class Batch:
    """One forward pass.

    Labels stand only for the columns in which some sequence has one, so that
    logits are made there and nowhere else.
    """

    input_ids: torch.Tensor  # (B, T)
    attention_mask: torch.Tensor  # (B, T)
    position_ids: torch.Tensor  # (B, T)
    label_columns: torch.Tensor  # (C,) columns whose logits predict the labels
    labels: torch.Tensor  # (B, C)
    weights: torch.Tensor  # (B,) float32

    def to(self, device: torch.device) -> Batch:
        return Batch(*(getattr(self, name).to(device) for name in self.__slots__))

    def num_tokens(self) -> int:
        """Tokens read, padding not counted."""
        return int(self.attention_mask.sum())

    def num_trained(self) -> int:
        """Tokens that carry a label."""
        return int((self.labels != IGNORE_INDEX).sum())


Sequences = Sequence[tuple[Encoded, float]]


def flatten(features: Sequence[Feature]) -> list[tuple[Encoded, float]]:
    """Every output of every prompt as a sequence with its weight."""
    return [pair for feature in features for pair in feature.sequences()]


def collate(sequences: Sequences, pad_id: int, *, side: Literal["left", "right"] = "left") -> Batch:
    """Pad to the longest sequence. On the left the answers end together, so that few columns hold labels."""
    width = max(len(encoded.input_ids) for encoded, _ in sequences)

    def padded(values: Sequence[int], fill: int) -> list[int]:
        blank = [fill] * (width - len(values))
        return [*blank, *values] if side == "left" else [*values, *blank]

    ids = torch.tensor([padded(encoded.input_ids, pad_id) for encoded, _ in sequences])
    mask = torch.tensor([padded([1] * len(encoded.input_ids), 0) for encoded, _ in sequences])
    labels = torch.tensor([padded(encoded.labels, IGNORE_INDEX) for encoded, _ in sequences])
    columns = (labels != IGNORE_INDEX).any(dim=0).nonzero().squeeze(1)  # (C,)
    return Batch(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0),
        label_columns=columns - 1,
        labels=labels[:, columns],
        weights=torch.tensor([weight for _, weight in sequences], dtype=torch.float32),
    )


@dataclass(frozen=True)
class Plan:
    """Which sequences each optimizer step reads.

    A pure function of the seed and the step, so that a resumed run needs to
    remember nothing but its step.
    """

    num_sequences: int
    batch_size: int
    num_steps: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(self.num_sequences / self.batch_size)

    def epoch(self, step: int) -> float:
        """Epochs done after `step` steps."""
        return step / self.steps_per_epoch

    def indices(self, step: int) -> list[int]:
        """The sequences of step `step` (the first is 0)."""
        epoch, index = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng(derived_seed(self.seed, "order", epoch)).permutation(self.num_sequences)
        return [int(i) for i in order[index * self.batch_size : (index + 1) * self.batch_size]]


def make_plan(num_sequences: int, settings: TrainingSettings, seed: int) -> Plan:
    """The plan of a whole run."""
    steps = math.ceil(settings.num_train_epochs * math.ceil(num_sequences / settings.batch_size))
    return Plan(num_sequences, settings.batch_size, min(steps, settings.max_steps or steps), seed)


def micro_batches(sequences: Sequences, size: int, pad_id: int) -> list[Batch]:
    """A step's sequences in forward passes of at most `size`.

    Sequences whose trained ids begin equally far from their end go together,
    so that few logits are made in vain (they cost more than a padded token),
    then those of like length.
    """

    def cost(pair: tuple[Encoded, float]) -> tuple[int, int]:
        length = len(pair[0].input_ids)
        return length - _first_trained(pair[0]), length

    alike = sorted(sequences, key=cost, reverse=True)
    return [collate(alike[start : start + size], pad_id) for start in range(0, len(alike), size)]


def _first_trained(encoded: Encoded) -> int:
    """Where the first trained id stands: at `context_length`, or at an earlier answer that is trained too."""
    earlier = encoded.labels[: encoded.context_length]
    return next((place for place, label in enumerate(earlier) if label != IGNORE_INDEX), encoded.context_length)
