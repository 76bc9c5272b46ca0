"""Task metrics while a model trains: where training, which makes the weights, meets evaluation, which asks them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from instructglm.core.errors import DataError
from instructglm.core.records import Split
from instructglm.data.dataset import read_examples
from instructglm.data.features import Feature
from instructglm.evaluation.predict import Predictor
from instructglm.evaluation.validate import sample, validator
from instructglm.pipeline.job import Job
from instructglm.report.contents import MetricCurve
from instructglm.training.distributed.ranks import ALONE, Ranks
from instructglm.training.monitor import Check
from instructglm.training.validation import Validate


def tell_unwatched(job: Job, dataset: Path, validation: Sequence[Feature]) -> None:
    """Say what a run goes without that has no validation example.

    Raises:
        DataError: it asks for task metrics, which would never be computed.
    """
    if validation:
        return
    training, found = job.experiment.training, len(read_examples(dataset, Split.VALIDATION))
    none = f"of {found} none is left (see the ledger)" if found else "there are none"
    raised = "data.max_length" if found else "data.split.validation"
    if training.eval_metrics:
        raise DataError(
            f"training.eval_metrics needs validation examples, and {none}",
            hint=f"Raise {raised}, or set training.eval_metrics to null.",
        )
    what = "training.early_stopping needs validation examples" if training.early_stopping else "validation examples"
    job.progress.say(f"{what}: {none}. All steps are trained and the last weights kept; to change that, raise {raised}")


def task_validator(job: Job, dataset: Path, predictor: Predictor, ranks: Ranks = ALONE) -> Validate | None:
    """What computes the task metrics that the experiment asks for while it trains; None where it asks for none.

    Of several processes each asks its share of the sample, and the first has the metrics.
    """
    experiment = job.experiment
    asked = experiment.training.eval_metrics
    if asked is None:
        return None
    examples = sample(read_examples(dataset, Split.VALIDATION), asked, experiment.seed)
    job.progress.say(f"task metrics on {len(examples)} of the validation examples at every check")
    return validator(predictor, examples, asked, experiment.data, experiment.seed, ranks.share, ranks.collect)


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
