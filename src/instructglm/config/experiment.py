"""The experiment file as one frozen value."""

from __future__ import annotations

from pydantic import Field

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
