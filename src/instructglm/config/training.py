"""`training:` how they move."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from instructglm.config.distributed import Distributed
from instructglm.config.section import Section


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
    """Prompts per optimizer step, each with all its outputs."""
    micro_batch_size: int = Field(8, ge=1)
    """Sequences (a prompt with one of its outputs) per forward pass: changes memory and speed, never the result."""
    packing: Literal["auto", "shared_prefix", "none"] = "auto"
    """Whether a prompt is read once, with all its outputs after it, and no padding: changes memory and speed, never
    the result. `auto` does it where a trial on the model gives the same logits."""
    gradient_checkpointing: bool = False
    logging_steps: int = Field(1, ge=1)
    eval_steps: int | None = Field(None, ge=1)
    """Validation loss every so many steps. Default: about ten times in a run."""
    save_steps: int | None = Field(None, ge=1)
    """Checkpoint every so many steps. Default: at every validation."""
    early_stopping: EarlyStopping | None = EarlyStopping()
    distributed: Distributed | None = None
    """Several processes. Default: one."""
