"""What a run is trained with, as its checkpoints remember it, and what differs when it goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from instructglm.config import training as config
from instructglm.config.training import NOT_THE_OUTCOME, TrainingSettings
from instructglm.core.errors import RunError
from instructglm.data.features import Feature

ROUNDING = ("packed", "num_threads", "torch", "transformers", *(f"training.{name}" for name in config.ROUNDING))
"""What changes a run by rounding only: a run may go on with others, and is told so."""


def provenance(
    settings: TrainingSettings, features: Sequence[Feature], validation: Sequence[Feature], **others: Any
) -> dict[str, Any]:
    """Dotted name -> a value that JSON holds, for all that decides the outcome of a run.

    Args:
        settings: of the run.
        features: what is trained on, in the order that the plan numbers them by.
        validation: what is validated on.
        others: what else decides it; mappings are told key by key.
    """
    told = {
        "training": settings.model_dump(mode="json", exclude=set(NOT_THE_OUTCOME)),
        "train_data": data_hash(features),
        "validation_data": data_hash(validation),
        "num_threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "transformers": version("transformers"),
    }
    return dict(_dotted("", told | others))


def _dotted(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _dotted(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", value


def data_hash(features: Sequence[Feature]) -> str:
    """Names the ids, labels and weights of all prompts and their order."""
    digest = hashlib.sha256()
    for feature in features:
        parts = [feature.context.input_ids, feature.context.labels, *feature.outputs]
        for numbers in ([len(part) for part in parts], *parts):
            digest.update(np.array(numbers, dtype=np.int64).tobytes())
        digest.update(np.array(feature.weights, dtype=np.float64).tobytes())
    return f"{len(features)} prompts, {digest.hexdigest()[:12]}"


def compare(then: Mapping[str, Any], now: Mapping[str, Any], place: str, say: Callable[[str], None]) -> None:
    """Tell what differs by rounding only; refuse the rest. Where one side knows nothing, nothing is compared.

    Raises:
        RunError: each name whose value differs, with both values.
    """
    if not then or not now:
        return
    absent = "not set"
    pairs = {name: (then.get(name, absent), now.get(name, absent)) for name in {**then, **now}}
    differing = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    for name in [name for name in differing if name in ROUNDING]:
        was, is_now = differing.pop(name)
        say(f"{name} was {was} and is {is_now}: the run goes on, but not to the bit as it would have")
    if differing:
        raise RunError(
            *(f"{place}: {name} was {was}, and is {is_now}" for name, (was, is_now) in differing.items()),
            hint="A run goes on only as it began: put these back, choose another --out, or remove the run's folder "
            "to train from the start.",
        )
