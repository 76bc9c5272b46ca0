"""What the report says of a finished run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from instructglm.data.features import Feature
from instructglm.pipeline.job import Job
from instructglm.pipeline.watching import metric_curves
from instructglm.report.contents import CurvePoint, TrainingCard
from instructglm.training.checkpoint import RunState
from instructglm.training.metrics_log import read_metrics
from instructglm.training.monitor import LOSS, gap_at, verdict
from instructglm.training.plan import make_plan
from instructglm.training.setting import Setting
from instructglm.tuning import TunedModel


def training_card(
    job: Job, tuned: TunedModel, state: RunState, features: Sequence[Feature], setting: Setting, folder: Path
) -> TrainingCard:
    """The card of a run in `folder` that ended with `state`."""
    settings, quantized = job.experiment.training, job.experiment.model.quantization_config
    plan = make_plan([feature.num_tokens for feature in features], settings, job.experiment.seed)
    checks = state.watch.checks
    lines = read_metrics(folder / "metrics.jsonl")
    curve = [line for line in lines if "train_loss_nats_per_token" in line]
    best = state.watch.best
    return TrainingCard(
        method=job.experiment.tuning.method,
        num_trainable_parameters=tuned.num_trainable(),
        num_parameters=tuned.num_parameters(),
        num_steps=state.step,
        num_epochs=round(plan.epoch(state.step), 3),
        num_train_tokens=state.num_trained_tokens,
        num_input_tokens=state.num_input_tokens,
        seconds=round(state.seconds, 2),
        train_curve=tuple(CurvePoint(step=int(line["step"]), loss=line["train_loss_nats_per_token"]) for line in curve),
        validation_curve=tuple(CurvePoint(step=check.step, loss=check.loss) for check in checks),
        best_step=best.step if best else state.step,
        stopped_early=state.step < plan.num_steps,
        verdict=verdict(state.watch, lines, settings.early_stopping.metric if settings.early_stopping else LOSS),
        settings={
            "num_train_prompts": len(features),
            "num_train_sequences": sum(len(feature.outputs) for feature in features),
            "packed": setting.packed,
            "num_processes": setting.ranks.world_size,
            "quantization_config": quantized.model_dump(mode="json") if quantized else None,
            **job.experiment.tuning.model_dump(mode="json"),
            **settings.model_dump(mode="json"),
        },
        resumed_at=state.resumed_at,
        gap=gap_at(best.step, checks, lines) if best else None,
        metric_curves=metric_curves(checks),
    )
