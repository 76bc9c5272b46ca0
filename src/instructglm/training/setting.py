"""Where and in which arithmetic a run computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from instructglm.training.distributed.ranks import ALONE, Ranks


@dataclass(frozen=True)
class Setting:
    """What a run has around it, beside its settings."""

    device: torch.device
    dtype: torch.dtype
    pad_id: int
    seed: int
    packed: bool = False
    """Whether rows hold prompts with all their outputs, without padding."""
    made_with: Mapping[str, Any] = field(default_factory=dict)
    """What else decides the outcome, by name: a run goes on only with the same."""
    ranks: Ranks = ALONE
    """Which of the processes this is that train together, each calling `train` with the same arguments."""
