"""Task metrics on a sample of the validation split, for those who want to see them while a model trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import fsum

import numpy as np

from instructglm.config.data import DataSettings
from instructglm.config.evaluation import EvaluationSettings
from instructglm.config.training import EvalMetrics
from instructglm.core.errors import RunError
from instructglm.core.progress import SilentProgress
from instructglm.core.records import Example, MetricRow, Prediction
from instructglm.core.seeds import derived_seed
from instructglm.evaluation.answers import GENERATED
from instructglm.evaluation.predict import Predictor, predict
from instructglm.evaluation.score import score

_FEWEST = 200  # resamples: the intervals are not looked at


def sample(examples: Sequence[Example], settings: EvalMetrics, seed: int) -> list[Example]:
    """At most `num_examples` of them, fixed by the seed, in their order."""
    order = np.random.default_rng(derived_seed(seed, "eval_metrics")).permutation(len(examples))
    return [examples[index] for index in sorted(order[: settings.num_examples])]


def validator(
    predictor: Predictor,
    examples: Sequence[Example],
    settings: EvalMetrics,
    data: DataSettings,
    seed: int,
    share: Callable[[Sequence[Example]], Sequence[Example]] = list,
    collect: Callable[[list[Prediction]], list[list[Prediction]]] = lambda mine: [mine],
) -> Callable[[], dict[str, tuple[float, int]]]:
    """What computes the metrics of the settings on `examples` with the weights that the model has when it is called.

    The model has to be in evaluation mode.

    Args:
        predictor: the model.
        examples: all that are asked.
        settings: which metrics, and limits.
        data: how prompts are fitted.
        seed: of the experiment.
        share: which of them this process asks; alone, all.
        collect: gives the answers of all processes in the one that scores, and none in the others, which get no
            metrics.

    Raises:
        RunError: (when called) no task of the examples has one of the metrics.
    """
    limits = settings.model_dump(include={"batch_size", "max_new_tokens", "max_new_tokens_closed"})
    asked = EvaluationSettings(num_resamples=_FEWEST, **limits)
    written = any(name.startswith(GENERATED) for name in settings.metrics)

    def validate() -> dict[str, tuple[float, int]]:
        mine = predict(predictor, share(examples), asked, data, SilentProgress(), closed_in_writing=written)
        found = {one.example_id: one for predictions in collect(mine) for one in predictions}
        if not found:
            return {}
        predictions = [found[example.id] for example in examples]
        rows = score(examples, {predictor.name: predictions}, asked, seed).metrics
        return overall(rows, settings.metrics)

    return validate


def overall(rows: Sequence[MetricRow], metrics: Sequence[str]) -> dict[str, tuple[float, int]]:
    """Each metric as the mean over the tasks that have it, weighted with their numbers of items; and the sum of those.

    Raises:
        RunError: no task has one of them.
    """
    by_name: dict[str, list[MetricRow]] = {name: [row for row in rows if row.metric == name] for name in metrics}
    if missing := [name for name, found in by_name.items() if not found]:
        known = ", ".join(dict.fromkeys(row.metric for row in rows if "[" not in row.metric))
        raise RunError(
            f"training.eval_metrics: no task of the validation sample has {', '.join(missing)}",
            hint=f"Choose from: {known}." if known else "None of its examples could be scored: raise data.max_length.",
        )
    return {name: _mean(found) for name, found in by_name.items()}


def _mean(rows: Sequence[MetricRow]) -> tuple[float, int]:
    n = sum(row.n for row in rows)
    return fsum(row.value * row.n for row in rows) / n, n
