"""`training:` how they move."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from instructglm.config.section import Section

TaskMetric = Literal[
    "accuracy", "macro_precision", "macro_recall", "macro_f1", "micro_f1", "weighted_f1", "generated_accuracy",
    "generated_macro_f1", "exact_match", "rouge_l", "chrf",
]  # fmt: skip


class EvalMetrics(Section):
    """Task metrics on a sample of the validation split, at every check."""

    metrics: list[TaskMetric] = Field(default=["accuracy", "macro_f1"], min_length=1)
    """As in the report's tables. Of several tasks, the mean, each weighted with its number of items."""
    num_examples: int = Field(100, ge=1)
    """Of the sample, which the seed fixes and which stays the same over the run."""
    batch_size: int = Field(32, ge=1)
    """Prompts per forward pass; changes figures by rounding only."""
    max_new_tokens: int = Field(64, ge=1)
    """Length limit of an answer to an open question."""
    max_new_tokens_closed: int = Field(16, ge=1)
    """Length limit of a written answer to a closed question, of which only `generated_` metrics need one."""


class EarlyStopping(Section):
    """Stop when the metric has not improved for `patience` checks in a row."""

    metric: Literal["validation_loss", TaskMetric] = "validation_loss"
    """Lower is better of the loss, higher of all others; the weights of its best check are kept."""
    patience: int = Field(3, ge=1)
    min_delta: float = Field(0.0, ge=0.0)
    """What counts as an improvement: nats per token, or a share between 0 and 1."""


NOT_THE_OUTCOME = ("logging_steps", "save_steps", "save_minutes", "save_total_limit", "report_to")
"""What changes nothing in the weights: a run may go on with others."""


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
    save_minutes: float | None = Field(None, gt=0)
    """Checkpoint when the last one is so many minutes old as well."""
    save_total_limit: int = Field(1, ge=1)
    """Checkpoints to keep: where the newest turns out damaged, a run goes on from the one before."""
    report_to: list[Literal["tensorboard", "wandb", "mlflow", "swanlab"]] = Field(default=[])
    """Trackers that are sent what `metrics.jsonl` is; none is imported unless it is named."""
    eval_metrics: EvalMetrics | None = None
    early_stopping: EarlyStopping | None = EarlyStopping()

    @model_validator(mode="after")
    def _stops_by_what_is_computed(self) -> TrainingSettings:
        computed = {"validation_loss", *(self.eval_metrics.metrics if self.eval_metrics else ())}
        if self.early_stopping and self.early_stopping.metric not in computed:
            metric = self.early_stopping.metric
            raise ValueError(
                f"early_stopping.metric is {metric}, which eval_metrics.metrics does not hold: add it there"
            )
        return self
