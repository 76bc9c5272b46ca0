"""The models of an evaluation, one after another, base and tuned from one set of weights where possible."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from instructglm.config.evaluation import BASE, TUNED, EvaluationSettings, OtherModel
from instructglm.config.experiment import Experiment
from instructglm.config.model import Quantization
from instructglm.data.templates import template_for
from instructglm.evaluation.predict import Predictor
from instructglm.models.hardware import choose_attention, choose_device, choose_dtype
from instructglm.models.loading import load, load_tokenizer
from instructglm.models.quantization import loading_in_few_bits
from instructglm.tuning import adapter_off, load_adapter, require_base

ADAPTER, WHOLE = "adapter", "model"


@dataclass(frozen=True)
class Arithmetic:
    """Where and how all models of an evaluation compute: one for all, or a change of it would look like a gain."""

    device: torch.device
    dtype: torch.dtype
    attention: str
    quantization: Quantization | None = None

    def load(self, place: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase | None]:
        """The model of a place, computing so."""
        few_bits = loading_in_few_bits(self.quantization, self.dtype, self.device)
        told: dict[str, Any] = {"dtype": self.dtype} | few_bits
        model, tokenizer = load(place, attn_implementation=self.attention, **told)
        return (model if few_bits else model.to(self.device)), tokenizer


def arithmetic_of(experiment: Experiment) -> Arithmetic:
    """What the experiment's settings come to on this machine."""
    model = experiment.model
    device = choose_device(model.device)
    attention = choose_attention(model.attn_implementation, device, experiment.data.max_length)
    return Arithmetic(device, choose_dtype(model.dtype, device), attention, model.quantization_config)


def model_names(settings: EvaluationSettings) -> list[str]:
    """The names under which models are scored, in the experiment's order."""
    return [model if isinstance(model, str) else model.name for model in settings.models]


def other_models(settings: EvaluationSettings) -> list[OtherModel]:
    """Those beside base and tuned."""
    return [model for model in settings.models if isinstance(model, OtherModel)]


def predictors(
    settings: EvaluationSettings,
    wanted: Collection[str],
    base: str,
    run: Path,
    setting: Arithmetic,
) -> Iterator[Predictor]:
    """The wanted models, each loaded when its turn comes.

    Base and an adapter share their weights: the base is the same network with
    the adapter switched off.
    """
    if (run / ADAPTER).exists():
        yield from _with_adapter(wanted, base, run / ADAPTER, setting)
    else:
        places = {BASE: base, TUNED: str(run / WHOLE)}
        for name in (name for name in places if name in wanted):
            yield _whole(name, places[name], setting)
    for other in other_models(settings):
        if other.name in wanted:
            yield _whole(other.name, other.name_or_path, setting)


def _with_adapter(wanted: Collection[str], base: str, adapter: Path, setting: Arithmetic) -> Iterator[Predictor]:
    if not {BASE, TUNED} & set(wanted):
        return
    require_base(adapter, base)
    model, tokenizer = setting.load(base)
    adapted = load_adapter(model, adapter).to(setting.device)
    template = template_for(tokenizer)
    if BASE in wanted:
        with adapter_off(adapted):
            yield Predictor(BASE, adapted, template, setting.device, setting.dtype)
    if TUNED in wanted:
        yield Predictor(TUNED, adapted, template, setting.device, setting.dtype)


def _whole(name: str, place: str, setting: Arithmetic) -> Predictor:
    model, _ = setting.load(place)
    return Predictor(name, model, template_for(load_tokenizer(place)), setting.device, setting.dtype)
