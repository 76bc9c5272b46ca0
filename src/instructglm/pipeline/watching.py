"""Task metrics while a model trains: where training, which makes the weights, meets evaluation, which asks them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from instructglm.core.errors import DataError
from instructglm.core.records import Split
from instructglm.data.dataset import read_examples
from instructglm.evaluation.predict import Predictor
from instructglm.evaluation.validate import sample, validator
from instructglm.pipeline.job import Job
from instructglm.report.contents import MetricCurve
from instructglm.training.monitor import Check
from instructglm.training.validation import Validate


def task_validator(job: Job, dataset: Path, predictor: Predictor) -> Validate | None:
    """What computes the task metrics that the experiment asks for while it trains; None where it asks for none.

    Raises:
        DataError: there is no validation example to ask.
    """
    experiment = job.experiment
    asked = experiment.training.eval_metrics
    if asked is None:
        return None
    examples = sample(read_examples(dataset, Split.VALIDATION), asked, experiment.seed)
    if not examples:
        raise DataError(
            "training.eval_metrics needs validation examples, and there are none",
            hint="Raise data.split.validation, or set training.eval_metrics to null.",
        )
    job.progress.say(f"task metrics on {len(examples)} of the validation examples at every check")
    return validator(predictor, examples, asked, experiment.data, experiment.seed)


def metric_curves(checks: Sequence[Check]) -> tuple[MetricCurve, ...]:
    """For the report, one for each metric that was computed at the checks of a run."""
    return tuple(
        MetricCurve(
            metric=name,
            num_items=checks[0].num_items[name],
            steps=tuple(check.step for check in checks),
            values=tuple(check.metrics[name] for check in checks),
        )
        for name in (checks[0].metrics if checks else ())
    )
