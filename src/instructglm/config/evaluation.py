"""`evaluation:` which models to score on the test split, and how."""

from __future__ import annotations

from pydantic import Field, model_validator

from instructglm.config.section import Section

BASE, TUNED = "base", "tuned"


class OtherModel(Section):
    """A further model to score on the same items."""

    name: str = Field(pattern=r"^[\w.-]+$")
    """How the report calls it."""
    name_or_path: str
    """A hub id or a local folder."""


class EvaluationSettings(Section):
    """Scoring on the untouched test split."""

    models: list[str | OtherModel] = Field(default=[BASE, TUNED], min_length=1)
    """`base`, `tuned`, and any others as a name with a path."""
    confidence: float = Field(0.95, gt=0.5, lt=1.0)
    """Of every interval."""
    num_resamples: int = Field(2000, ge=200)
    """Bootstrap and permutation draws."""
    batch_size: int = Field(32, ge=1)
    """Prompts per forward pass; does not change scores."""
    max_new_tokens: int = Field(64, ge=1)
    """Length limit of a generated answer to an open task."""
    max_new_tokens_closed: int = Field(16, ge=1)
    """Length limit of a generated answer to a closed task."""

    @model_validator(mode="after")
    def _names_are_known_and_unique(self) -> EvaluationSettings:
        names = [model if isinstance(model, str) else model.name for model in self.models]
        unknown = [model for model in self.models if isinstance(model, str) and model not in (BASE, TUNED)]
        if unknown:
            raise ValueError(
                f"{unknown[0]!r} is neither base nor tuned; give other models as {{name: ..., name_or_path: ...}}"
            )
        if len(set(names)) != len(names):
            raise ValueError(f"model names repeat: {', '.join(names)}")
        return self
