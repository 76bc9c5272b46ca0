"""Task metrics in the middle of training, without a trace in what is trained."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

Validate = Callable[[], dict[str, tuple[float, int]]]
"""The task metrics of the weights as they are, by name: each with the number of items that it is of. Of several
processes, the first has them."""


def task_metrics(model: nn.Module, validate: Validate) -> dict[str, tuple[float, int]]:
    """What `validate` gives with the model in evaluation mode; random generators stand afterwards as before."""
    model.eval()
    with torch.no_grad(), torch.random.fork_rng(range(torch.cuda.device_count())):
        return validate()
