"""How many tokens a model reads at once."""

from __future__ import annotations

from typing import Any

from instructglm.core.errors import ModelError


def window(model: Any) -> int | None:
    """The longest sequence that a model was made for, in tokens; None where its config does not say."""
    found = getattr(model.config, "max_position_embeddings", None)
    return int(found) if found else None


def require_window(model: Any, max_length: int) -> None:
    """Refuse to train on sequences that are longer than the model can read.

    Raises:
        ModelError: `max_length` is beyond the model's window.
    """
    limit = window(model)
    if limit is not None and max_length > limit:
        raise ModelError(
            f"data.max_length is {max_length}; this model reads {limit} tokens (max_position_embeddings, or "
            "max_sequence_length, in its config.json)",
            hint=f"Set data.max_length to {limit} or less; data.overlong says what becomes of longer rows.",
        )
