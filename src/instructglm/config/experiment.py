"""The experiment file as one frozen value."""

from __future__ import annotations

from pydantic import Field, model_validator

from instructglm.config.data import DataSettings
from instructglm.config.evaluation import EvaluationSettings
from instructglm.config.model import ModelSettings
from instructglm.config.section import Section
from instructglm.config.training import TrainingSettings
from instructglm.config.tuning import LoraTuning, Tuning


class Experiment(Section):
    """One run from raw data to a report."""

    name: str = Field(pattern=r"^[\w.-]+$")
    """Names the folders of this experiment."""
    title: str | None = None
    """Heads the report. Default: the name."""
    seed: int = Field(17, ge=0)
    """All randomness comes from it."""
    model: ModelSettings = ModelSettings()
    data: DataSettings
    tuning: Tuning = LoraTuning()
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()

    @model_validator(mode="after")
    def _packing_has_its_attention(self) -> Experiment:
        if self.training.packing == "shared_prefix" and self.model.attn_implementation != "auto":
            raise ValueError(
                f"model.attn_implementation is {self.model.attn_implementation}, and training.packing is "
                "shared_prefix, which has an attention of its own; leave one of the two at auto"
            )
        return self

    @model_validator(mode="after")
    def _quantized_weights_are_frozen(self) -> Experiment:
        if self.model.quantization_config is not None and self.tuning.method in ("full", "freeze"):
            raise ValueError(
                f"model.quantization_config is set, and tuning.method is {self.tuning.method}, which moves weights "
                "that would have few bits; choose lora or prefix, or take model.quantization_config away"
            )
        return self

    @model_validator(mode="after")
    def _weights_can_be_parted(self) -> Experiment:
        together = self.training.distributed
        if together and together.strategy == "fsdp" and self.tuning.method == "prefix":
            raise ValueError(
                "training.distributed.strategy is fsdp, and tuning.method is prefix, whose weights lie outside of the "
                "layers that are parted; use ddp"
            )
        if together and together.strategy == "fsdp" and self.model.quantization_config is not None:
            raise ValueError(
                "training.distributed.strategy is fsdp, and model.quantization_config is set, but weights of four bits "
                "cannot be parted; use ddp, or take one of the two away"
            )
        return self
