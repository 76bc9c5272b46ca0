"""`training:` how they move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from instructglm.config.distributed import Distributed
from instructglm.config.section import Section

OutputWeights = Literal["given", "equal", "rating", "best"]
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


NOT_THE_OUTCOME = ("logging_steps", "save_steps", "save_minutes", "save_total_limit", "report_to", "distributed")
"""What changes nothing in the weights: a run may go on with others."""
ROUNDING = ("micro_batch_size", "tokens_per_micro_batch", "gradient_checkpointing")
"""What changes memory and speed, and the weights by rounding only: likewise, but it is said."""


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
_WEIGHT_BY_WEIGHT = ("adamw", "sgd", "adagrad", "rmsprop")
"""Optimizers whose state of a weight is another number or two, so that it can be parted with it."""
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
    torch_compile: bool = False
    """Whether the layers are compiled, after a trial on the model."""
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
    distributed: Distributed | None = None
    """Several processes. Default: one."""

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
    def _can_be_done_together(self) -> TrainingSettings:
        if self.distributed and self.torch_compile:
            raise ValueError(
                "distributed and torch_compile are both set, which is not offered; leave one of the two out"
            )
        if self.distributed is None or self.distributed.strategy != "fsdp":
            return self
        if self.eval_metrics:
            raise ValueError(
                "eval_metrics is set, and distributed.strategy is fsdp, under which no process has a whole model to "
                "answer with; use ddp, or leave eval_metrics out"
            )
        if self.optimizer not in _WEIGHT_BY_WEIGHT:
            raise ValueError(
                f"optimizer is {self.optimizer}, which looks at weights together, and distributed.strategy is fsdp, "
                f"which parts them; use {', '.join(_WEIGHT_BY_WEIGHT)}, or ddp"
            )
        return self

    @model_validator(mode="after")
    def _schedule_takes_its_arguments(self) -> TrainingSettings:
        kind, given = self.lr_scheduler_type, self.lr_scheduler_kwargs
        known, needed = SCHEDULE_ARGUMENTS.get(kind, ()), _ONE_NEEDED.get(kind, ())
        if unknown := [name for name in given if name not in known]:
            takes = f"takes {', '.join(known)}" if known else "takes no arguments"
            raise ValueError(f"lr_scheduler_type {kind} {takes}; lr_scheduler_kwargs has {', '.join(unknown)}")
        for name in ("min_lr", "lr_end"):
            floor = given.get(name, 0.0)
            if isinstance(floor, int | float) and floor >= self.learning_rate:
                raise ValueError(
                    f"lr_scheduler_kwargs.{name} is {floor}, and learning_rate, from which it is to fall to that, is "
                    f"{self.learning_rate}"
                )
        cycles = given.get("num_cycles", 0.5)
        if kind == "cosine" and isinstance(cycles, int | float) and cycles and cycles % 1 == 0:
            raise ValueError(
                f"lr_scheduler_kwargs.num_cycles is {cycles}, with which the learning rate would be 0 in the middle of "
                "the run; choose halves, such as 0.5 or 1.5, or cosine_with_restarts"
            )
        if needed and not any(name in given for name in needed):
            raise ValueError(f"lr_scheduler_type {kind} needs lr_scheduler_kwargs with {' or '.join(needed)}")
        return self

    @model_validator(mode="after")
    def _stops_by_what_is_computed(self) -> TrainingSettings:
        computed = {"validation_loss", *(self.eval_metrics.metrics if self.eval_metrics else ())}
        if self.early_stopping and self.early_stopping.metric not in computed:
            metric = self.early_stopping.metric
            raise ValueError(
                f"early_stopping.metric is {metric}, which eval_metrics.metrics does not hold: add it there"
            )
        return self
