"""What moves the weights: the optimizers by name, and which weights each of their groups holds."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import nn

from instructglm.config.training import TrainingSettings
from instructglm.core.errors import RunError
from instructglm.models.quantization import require_bitsandbytes
from instructglm.tuning import TunedModel

_BITSANDBYTES = "bitsandbytes.optim"


def _adam(settings: TrainingSettings) -> dict[str, Any]:
    return {"betas": (settings.adam_beta1, settings.adam_beta2), "eps": settings.adam_epsilon}


def _fused(settings: TrainingSettings) -> dict[str, Any]:
    return _adam(settings) | {"fused": True}


def _lion(settings: TrainingSettings) -> dict[str, Any]:
    return {"betas": (settings.adam_beta1, settings.adam_beta2)}


def _given_rate(settings: TrainingSettings) -> dict[str, Any]:
    """As transformers' Trainer has it: Adafactor would make up a learning rate, and scale it by the weights."""
    return {"scale_parameter": False, "relative_step": False}


def _nothing(settings: TrainingSettings) -> dict[str, Any]:
    return {}


OPTIMIZERS: dict[str, tuple[str, str, Callable[[TrainingSettings], dict[str, Any]]]] = {
    "adamw": ("torch.optim", "AdamW", _fused),
    "adamw_8bit": (_BITSANDBYTES, "AdamW8bit", _adam),
    "paged_adamw_32bit": (_BITSANDBYTES, "PagedAdamW32bit", _adam),
    "paged_adamw_8bit": (_BITSANDBYTES, "PagedAdamW8bit", _adam),
    "lion_32bit": (_BITSANDBYTES, "Lion32bit", _lion),
    "lion_8bit": (_BITSANDBYTES, "Lion8bit", _lion),
    "adafactor": ("transformers", "Adafactor", _given_rate),
    "sgd": ("torch.optim", "SGD", _nothing),
    "adagrad": ("torch.optim", "Adagrad", _nothing),
    "rmsprop": ("torch.optim", "RMSprop", _nothing),
}
"""transformers' name (`adamw` is its `adamw_torch_fused`) -> module, class, and what the settings say to it."""


def make_optimizer(tuned: TunedModel, settings: TrainingSettings) -> torch.optim.Optimizer:
    """The optimizer of the settings, over the weights that are tuned.

    Raises:
        ModelError: bitsandbytes is not installed, and the optimizer is one of its.
        RunError: the optimizer pages between a GPU and the host, and there is no GPU; or it does not take `optim_args`.
    """
    module, name, arguments = OPTIMIZERS[settings.optimizer]
    if module == _BITSANDBYTES:
        require_bitsandbytes(f"training.optimizer is {settings.optimizer}")
        _require_pages(tuned, settings)
    kind = getattr(import_module(module), name)
    try:
        # the rate stands in the groups; schedules with a floor look for it among the defaults
        told = {"lr": settings.learning_rate} | arguments(settings) | settings.optim_args
        optimizer: torch.optim.Optimizer = kind(_groups(tuned, settings), **told)
    except (TypeError, ValueError) as error:
        given = ", ".join(f"{key}: {value}" for key, value in settings.optim_args.items()) or "nothing"
        raise RunError(
            f"training.optimizer is {settings.optimizer}, which does not take its arguments: {error}",
            hint=f"training.optim_args has {given}; {module}.{name} says what it takes.",
        ) from error
    if module == _BITSANDBYTES:
        _keep_embeddings_exact(optimizer, tuned.model)
    return optimizer


def _require_pages(tuned: TunedModel, settings: TrainingSettings) -> None:
    devices = {weight.device.type for weight in tuned.trainable().values()}
    if settings.optimizer.startswith("paged") and devices == {"cpu"}:
        raise RunError(
            f"training.optimizer is {settings.optimizer}, which moves its state between a GPU and the host; "
            "the device is cpu",
            hint=f"Set it to {'adamw_8bit' if settings.optimizer.endswith('8bit') else 'adamw'}.",
        )


def _groups(tuned: TunedModel, settings: TrainingSettings) -> list[dict[str, Any]]:
    """Weights of one learning rate and one decay; those of the plain learning rate first.

    Vectors do not decay: biases, the weights of norms and DoRA's lengths mean
    something at zero, or have no reason to be small.
    """
    alike: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in tuned.trainable().items():
        key = (tuned.lr_ratios.get(name, 1.0), settings.weight_decay if weight.ndim > 1 else 0.0)
        alike.setdefault(key, []).append(weight)
    return [
        {"params": weights, "lr": settings.learning_rate * ratio, "weight_decay": decay}
        for (ratio, decay), weights in sorted(alike.items(), key=lambda item: item[0][0] != 1.0)
    ]


def _keep_embeddings_exact(optimizer: Any, model: nn.Module) -> None:
    """State of embeddings in 32 bits, as the authors advise (Dettmers et al. 2022, arXiv:2110.02861).

    bitsandbytes has one manager for the process, which would remember these
    weights for the next model; this optimizer gets one of its own.
    """
    kind: Any = type(optimizer.mng)
    manager = kind.__new__(kind)
    manager.initialize()
    embeddings = [module.weight for module in model.modules() if isinstance(module, nn.Embedding)]
    manager.override_config(embeddings, "optim_bits", 32)
    optimizer.mng = manager
