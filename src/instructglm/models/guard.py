"""What a model may hold and be asked to read: weights that are numbers, ids of its vocabulary, in its window."""

from __future__ import annotations

from typing import Any

import torch
from transformers import Cache, PreTrainedModel

from instructglm.core.errors import ModelError

# Shapes: B rows, S tokens of one call.

_FITTING_TOKENIZER = "Use the tokenizer that belongs to this model."


def guard(model: PreTrainedModel) -> PreTrainedModel:
    """The model itself, which from now on refuses ids outside its vocabulary and sequences beyond its window.

    Once a context is looked at, and never a single generated token. Nothing of
    this is saved with the model.
    """
    # Not on the model with the head: PEFT calls that one's `forward`, past all hooks.
    model.base_model.register_forward_pre_hook(_refuse_unreadable, with_kwargs=True)
    return model


def require_finite(model: PreTrainedModel, place: str) -> None:
    """Refuse weights that are no numbers, from which every loss would be none either.

    Raises:
        ModelError: names the first of them.
    """
    for name, weight in model.named_parameters():
        wrong = sum(int((~part.isfinite()).sum()) for part in _parts(weight))
        if wrong:
            raise ModelError(
                f"{place}: {name} holds {wrong} weights that are NaN or infinite, of {weight.numel()}",
                hint="The file is damaged, or the model was saved after its training had gone wrong: get it anew.",
            )


def _parts(weight: torch.Tensor) -> list[torch.Tensor]:
    """The tensors of real numbers in a weight: one of 4 bits has only its scales, or what their scales are around."""
    scales = getattr(weight, "quant_state", None)
    parts = [weight, getattr(scales, "absmax", None), getattr(scales, "offset", None)]
    return [part.detach() for part in parts if isinstance(part, torch.Tensor) and part.is_floating_point()]


def require_ids(input_ids: torch.Tensor, vocab_size: int, hint: str = _FITTING_TOKENIZER) -> None:
    """Refuse ids (B, S) that no embedding has.

    Raises:
        ModelError: names the lowest or the highest of them.
    """
    for wrong in (int(end) for end in input_ids.aminmax()):
        if not 0 <= wrong < vocab_size:
            raise ModelError(f"id {wrong} in input_ids is not in this model's vocabulary of {vocab_size}", hint=hint)


def require_length(length: int, limit: int, field: str) -> None:
    """Refuse a sequence of more tokens than the model reads; `field` of config.json says how many these are.

    Raises:
        ModelError: `length` is more than `limit`.
    """
    if length > limit:
        raise ModelError(
            f"a sequence has {length} tokens; this model reads {limit} ({field} in config.json)",
            hint="Cut the text, not its ids, among which are the model's markers; or lower data.max_length.",
        )


def _refuse_unreadable(module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    """A forward pre-hook of a base model."""
    input_ids = arguments[0] if arguments else named.get("input_ids")
    read = named.get("inputs_embeds") if input_ids is None else input_ids
    if torch.compiler.is_compiling() or read is None or read.shape[1] <= 1:
        return
    limit = getattr(module.config, "max_position_embeddings", None)
    if limit is not None:
        require_length(_length(read, named), int(limit), "max_position_embeddings, or seq_length,")
    if input_ids is not None and input_ids.numel():
        require_ids(input_ids, module.config.vocab_size)


def _length(read: torch.Tensor, named: dict[str, Any]) -> int:
    """The tokens of the longest sequence, what was read before among them."""
    positions = named.get("position_ids")
    if positions is not None:
        return int(positions.max()) + 1
    cache: Cache | None = named.get("past_key_values")
    return int(read.shape[1]) + (0 if cache is None else int(cache.get_seq_length()))
