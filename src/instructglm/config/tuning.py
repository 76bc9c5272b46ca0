"""`tuning:` which weights move."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from instructglm.config.section import Section


class FullTuning(Section):
    """All weights move."""

    method: Literal["full"]


class FreezeTuning(Section):
    """Only the last layers (and the head) move."""

    method: Literal["freeze"]
    num_layers: int = Field(2, ge=1)
    """How many of the last transformer layers move."""
    train_head: bool = False
    """Whether the output head (and what it is tied to) moves too."""


class LoraTuning(Section):
    """Low-rank updates beside frozen weights (Hu et al., 2021)."""

    method: Literal["lora"] = "lora"
    rank: int = Field(8, ge=1)
    alpha: float = Field(16.0, gt=0)
    dropout: float = Field(0.0, ge=0.0, lt=1.0)
    targets: str | list[str] = "all-linear"
    """Names of the linear layers to update, or `all-linear`."""
    use_rslora: bool = False
    """Whether updates are scaled by alpha / sqrt(rank) instead of alpha / rank (Kalajdzievski, 2023)."""
    use_dora: bool = False
    """Whether the length of each row of a weight moves by itself, and the update turns it (DoRA; Liu et al., 2024)."""
    loraplus_lr_ratio: float = Field(1.0, gt=0)
    """How many times the learning rate the second matrices get (LoRA+; Hayou et al., 2024)."""


class PrefixTuning(Section):
    """Trained keys and values in front of every layer's own: P-Tuning v2 (Liu et al., 2022)."""

    method: Literal["prefix"]
    num_virtual_tokens: int = Field(128, ge=1)
    """How many keys and values there are in front; ChatGLM-6B's own code calls it `pre_seq_len`."""
    prefix_projection: bool = False
    """Whether they come out of two linear layers while they are trained."""


def _method(value: Any) -> str:
    found = value.get("method", "lora") if isinstance(value, dict) else getattr(value, "method", "lora")
    return str(found)


Tuning = Annotated[
    Annotated[FullTuning, Tag("full")]
    | Annotated[FreezeTuning, Tag("freeze")]
    | Annotated[LoraTuning, Tag("lora")]
    | Annotated[PrefixTuning, Tag("prefix")],
    Discriminator(_method),
]
