"""`training:` how they move."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from instructglm.config.section import Section

_MICRO_BATCH_SIZE = 8


class EarlyStopping(Section):
    """Stop when the validation loss has not improved for `patience` checks in a row."""

    metric: Literal["validation_loss"] = "validation_loss"
    patience: int = Field(3, ge=1)
    min_delta: float = Field(0.0, ge=0.0)
    """Nats per token that count as an improvement."""


class TrainingSettings(Section):
    """Optimizer, schedule, batches, checks and checkpoints."""

    optimizer: Literal["adamw"] = "adamw"
    learning_rate: float = Field(2e-4, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    adam_beta1: float = Field(0.9, ge=0, lt=1)
    adam_beta2: float = Field(0.999, ge=0, lt=1)
    adam_epsilon: float = Field(1e-8, gt=0)
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are scaled down to this norm."""
    lr_scheduler_type: Literal["cosine", "linear", "constant", "constant_with_warmup", "polynomial", "inverse_sqrt"] = (
        "cosine"
    )
    warmup_ratio: float = Field(0.03, ge=0, lt=1)
    num_train_epochs: float = Field(3.0, gt=0)
    max_steps: int | None = Field(None, ge=1)
    """Stop after so many optimizer steps, whatever the epochs say."""
    batch_size: int = Field(16, ge=1)
    """Sequences (a prompt with one of its outputs) per optimizer step."""
    micro_batch_size: int = Field(_MICRO_BATCH_SIZE, ge=1)
    """Sequences per forward pass: changes memory and speed, never the result. Default: 8, or a smaller `batch_size`."""
    gradient_checkpointing: bool = False
    logging_steps: int = Field(1, ge=1)
    eval_steps: int | None = Field(None, ge=1)
    """Validation loss every so many steps. Default: about ten times in a run."""
    save_steps: int | None = Field(None, ge=1)
    """Checkpoint every so many steps. Default: at every validation."""
    early_stopping: EarlyStopping | None = EarlyStopping()

    @model_validator(mode="before")
    @classmethod
    def _micro_batch_follows(cls, given: Any) -> Any:
        """A small `batch_size` alone is enough: the default forward pass is no larger."""
        batch_size = given.get("batch_size") if isinstance(given, dict) else None
        if not isinstance(batch_size, int) or isinstance(batch_size, bool):
            return given
        if 1 <= batch_size < _MICRO_BATCH_SIZE and "micro_batch_size" not in given:
            return {**given, "micro_batch_size": batch_size}
        return given

    @model_validator(mode="after")
    def _micro_batch_fits(self) -> TrainingSettings:
        if self.micro_batch_size > self.batch_size:
            raise ValueError(
                f"micro_batch_size {self.micro_batch_size} is larger than batch_size {self.batch_size}; "
                f"set training.micro_batch_size to {self.batch_size} or less"
            )
        return self
