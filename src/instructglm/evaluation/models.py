"""The models of an evaluation, one after another, base and tuned from one set of weights where possible."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import torch
from peft import PeftModel

from instructglm.config.evaluation import BASE, TUNED, EvaluationSettings, OtherModel
from instructglm.data.templates import template_for
from instructglm.evaluation.predict import Predictor
from instructglm.models.loading import load, load_tokenizer

ADAPTER, WHOLE = "adapter", "model"


def model_names(settings: EvaluationSettings) -> list[str]:
    """The names under which models are scored, in the experiment's order."""
    return [model if isinstance(model, str) else model.name for model in settings.models]


def predictors(
    settings: EvaluationSettings,
    wanted: Collection[str],
    base: str,
    run: Path,
    device: torch.device,
    dtype: torch.dtype,
) -> Iterator[Predictor]:
    """The wanted models, each loaded when its turn comes.

    Base and an adapter share their weights: the base is the same network with
    the adapter switched off.
    """
    if (run / ADAPTER).exists():
        yield from _with_adapter(wanted, base, run / ADAPTER, device, dtype)
    else:
        places = {BASE: base, TUNED: str(run / WHOLE)}
        for name in (name for name in places if name in wanted):
            yield _whole(name, places[name], device, dtype)
    for other in settings.models:
        if isinstance(other, OtherModel) and other.name in wanted:
            yield _whole(other.name, other.name_or_path, device, dtype)


def _with_adapter(
    wanted: Collection[str], base: str, adapter: Path, device: torch.device, dtype: torch.dtype
) -> Iterator[Predictor]:
    if not {BASE, TUNED} & set(wanted):
        return
    model, tokenizer = load(base, dtype=dtype)
    adapted = PeftModel.from_pretrained(model, adapter).to(device).eval()
    template = template_for(tokenizer)
    if BASE in wanted:
        with adapted.disable_adapter():
            yield Predictor(BASE, adapted, template, device, dtype)
    if TUNED in wanted:
        yield Predictor(TUNED, adapted, template, device, dtype)


def _whole(name: str, place: str, device: torch.device, dtype: torch.dtype) -> Predictor:
    model, _ = load(place, dtype=dtype)
    return Predictor(name, model.to(device), template_for(load_tokenizer(place)), device, dtype)
