"""`training:` how they move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from instructglm.config.section import Section


class EarlyStopping(Section):
    """Stop when the validation loss has not improved for `patience` checks in a row."""

    metric: Literal["validation_loss"] = "validation_loss"
    patience: int = Field(3, ge=1)
    min_delta: float = Field(0.0, ge=0.0)
    """Nats per token that count as an improvement."""


Argument = bool | int | float | str
"""What an optimizer or a schedule may be told in words of its own."""

SCHEDULE_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "cosine": ("num_cycles",),
    "cosine_with_restarts": ("num_cycles",),
    "cosine_with_min_lr": ("num_cycles", "min_lr", "min_lr_rate"),
    "polynomial": ("lr_end", "power"),
    "inverse_sqrt": ("timescale",),
    "warmup_stable_decay": ("num_decay_steps", "warmup_type", "decay_type", "min_lr_ratio", "num_cycles"),
}
"""Schedule -> what `lr_scheduler_kwargs` may hold; the others take nothing."""
_OWN_KEYS = {"lr": "learning_rate", "weight_decay": "weight_decay"}
_ONE_NEEDED = {"cosine_with_min_lr": ("min_lr", "min_lr_rate"), "warmup_stable_decay": ("num_decay_steps",)}


class TrainingSettings(Section):
    """Optimizer, schedule, batches, checks and checkpoints."""

    optimizer: Literal[
        "adamw", "adamw_8bit", "paged_adamw_32bit", "paged_adamw_8bit", "lion_32bit", "lion_8bit", "adafactor", "sgd",
        "adagrad", "rmsprop",
    ] = "adamw"  # fmt: skip
    optim_args: dict[str, Argument] = Field({})
    """More arguments of the optimizer, by its own names: `{momentum: 0.9}` for `sgd`."""
    learning_rate: float = Field(2e-4, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    adam_beta1: float = Field(0.9, ge=0, lt=1)
    adam_beta2: float = Field(0.999, ge=0, lt=1)
    adam_epsilon: float = Field(1e-8, gt=0)
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are scaled down to this norm."""
    lr_scheduler_type: Literal[
        "cosine", "cosine_with_restarts", "cosine_with_min_lr", "linear", "constant", "constant_with_warmup",
        "polynomial", "inverse_sqrt", "warmup_stable_decay",
    ] = "cosine"  # fmt: skip
    lr_scheduler_kwargs: dict[str, Argument] = Field({})
    """More arguments of the schedule, by transformers' names: `{num_cycles: 3}` for `cosine_with_restarts`."""
    warmup_ratio: float = Field(0.03, ge=0, lt=1)
    warmup_steps: int | None = Field(None, ge=0)
    """Steps in which the learning rate rises. Default: `warmup_ratio` of all."""
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
    torch_compile: bool = False
    """Whether the layers are compiled, after a trial on the model."""
    logging_steps: int = Field(1, ge=1)
    eval_steps: int | None = Field(None, ge=1)
    """Validation loss every so many steps. Default: about ten times in a run."""
    save_steps: int | None = Field(None, ge=1)
    """Checkpoint every so many steps. Default: at every validation."""
    early_stopping: EarlyStopping | None = EarlyStopping()

    @model_validator(mode="after")
    def _keys_of_their_own(self) -> TrainingSettings:
        if twice := [name for name in _OWN_KEYS if name in self.optim_args]:
            named = " and ".join(f"{name} (training.{_OWN_KEYS[name]})" for name in twice)
            raise ValueError(f"optim_args has {named}, which has a key of its own")
        return self

    @model_validator(mode="after")
    def _compiled_or_computed_again(self) -> TrainingSettings:
        if self.torch_compile and self.gradient_checkpointing:
            raise ValueError(
                "torch_compile and gradient_checkpointing are both true, and torch does not compile layers that are "
                "computed again in the backward pass; leave one of the two out"
            )
        return self

    @model_validator(mode="after")
    def _schedule_takes_its_arguments(self) -> TrainingSettings:
        kind, given = self.lr_scheduler_type, self.lr_scheduler_kwargs
        known, needed = SCHEDULE_ARGUMENTS.get(kind, ()), _ONE_NEEDED.get(kind, ())
        if unknown := [name for name in given if name not in known]:
            takes = f"takes {', '.join(known)}" if known else "takes no arguments"
            raise ValueError(f"lr_scheduler_type {kind} {takes}; lr_scheduler_kwargs has {', '.join(unknown)}")
        if needed and not any(name in given for name in needed):
            raise ValueError(f"lr_scheduler_type {kind} needs lr_scheduler_kwargs with {' or '.join(needed)}")
        return self
