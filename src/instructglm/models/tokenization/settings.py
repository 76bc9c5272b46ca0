"""tokenizer_config.json as the constructors get it from transformers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any


def own_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with all control tokens by their names, and without the code of others.

    Transformers gathers the names it does not know itself (`gmask_token`) in a
    field of their own. `auto_map` names code that is neither run nor saved here.
    """
    named = settings.get("model_specific_special_tokens") or {}
    left_out = ("model_specific_special_tokens", "auto_map")
    return {name: value for name, value in settings.items() if name not in left_out} | named


def control_faults(settings: Mapping[str, Any], control: Mapping[str, str], free: Collection[str] = ()) -> list[str]:
    """The control tokens that are not the model's, but for the free ones."""
    return [
        f"tokenizer_config.json: {name} is {settings[name]!s}; this model has {token}"
        for name, token in control.items()
        if name not in free and str(settings.get(name) or token) != token
    ]


def id_faults(declared: Mapping[int, Any], id_of: Callable[[str], int | None]) -> list[str]:
    """The control tokens that tokenizer_config.json gives other ids than the vocabulary."""
    return [
        f"tokenizer_config.json: {token} has the id {number}, but {id_of(str(token))} in the vocabulary"
        for number, token in declared.items()
        if id_of(str(token)) != number
    ]
