"""How many tokens a model reads at once."""

from __future__ import annotations

from typing import Any

from instructglm.core.errors import ModelError


def window(model: Any) -> int | None:
    """The longest sequence that a model was made for, in tokens; None where its config does not say."""
    found = getattr(model.config, "max_position_embeddings", None)
    return int(found) if found else None


def require_window(model: Any, max_length: int, num_virtual_tokens: int = 0) -> None:
    """Refuse to train on sequences that are longer than the model can read, a trained prefix in front counted.

    Raises:
        ModelError: they are beyond the model's window.
    """
    limit = window(model)
    if limit is None or max_length + num_virtual_tokens <= limit:
        return
    reads = f"this model reads {limit} tokens (max_position_embeddings, or max_sequence_length, in its config.json)"
    room = limit - num_virtual_tokens
    if not num_virtual_tokens:
        raise ModelError(
            f"data.max_length is {max_length}; {reads}",
            hint=f"Set data.max_length to {limit} or less; data.overlong says what becomes of longer rows.",
        )
    raise ModelError(
        f"tuning.num_virtual_tokens is {num_virtual_tokens}, and data.max_length {max_length}; {reads}, and virtual "
        "ones count",
        hint=f"Set data.max_length to {room} or less, or lower tuning.num_virtual_tokens."
        if room > 0
        else f"Lower tuning.num_virtual_tokens: what it leaves of {limit} is for data.max_length.",
    )
