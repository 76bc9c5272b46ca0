"""`training:` how they move."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from instructglm.config.section import Section

OutputWeights = Literal["given", "equal", "rating", "best"]


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
    batch_size: int | None = Field(16, ge=1)
    """Prompts per optimizer step, each with all its outputs. Not set where `tokens_per_batch` is given."""
    tokens_per_batch: int | None = Field(None, ge=8)
    """In place of `batch_size`: at most so many tokens per optimizer step, a prompt counted once with all its outputs,
    packed or not. A prompt that has more goes by `data.overlong`."""
    micro_batch_size: int | None = Field(8, ge=1)
    """Sequences (a prompt with one of its outputs) per forward pass: changes memory and speed, never the result. Not
    set where `tokens_per_batch` is given: then only tokens count."""
    tokens_per_micro_batch: int = Field(16_384, ge=1)
    """The most tokens of a forward pass, padding counted, unless one prompt alone has more: changes memory and speed,
    never the result."""
    output_weights: OutputWeights = "given"
    """What an output counts among those of its prompt: the `weight` it was given (1 where none was), the same as the
    others, by its mean rating, or all where it is rated best and else nothing."""
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

    @model_validator(mode="before")
    @classmethod
    def _tokens_take_the_place_of_sizes(cls, given: Any) -> Any:
        """With `tokens_per_batch`, the sizes that count prompts and sequences have no default."""
        if isinstance(given, dict) and given.get("tokens_per_batch") is not None:
            return {"batch_size": None, "micro_batch_size": None} | given
        return given

    @model_validator(mode="after")
    def _one_size_of_a_batch(self) -> TrainingSettings:
        if (self.batch_size is None) == (self.tokens_per_batch is None):
            found = "neither is" if self.batch_size is None else "both are"
            raise ValueError(
                f"batch_size counts a step's prompts, tokens_per_batch its tokens, and {found} set; set one, and null "
                "for the other"
            )
        return self
