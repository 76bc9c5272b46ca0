"""From saved predictions to figures, intervals and comparisons."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from instructglm.config.evaluation import EvaluationSettings
from instructglm.core.errors import RunError
from instructglm.core.proportions import Interval
from instructglm.core.records import ComparisonRow, Example, MetricRow, Prediction, Record
from instructglm.core.seeds import derived_seed
from instructglm.evaluation.answers import (
    GENERATED,
    Answers,
    Pair,
    by_generation,
    by_likelihood,
    by_text,
)
from instructglm.evaluation.compare import Paired, Resampling, check_same_items, compare_figures, compare_shares
from instructglm.evaluation.intervals import bootstrap, proportion
from instructglm.evaluation.verdict import Compared, comparison_rows
from instructglm.report.contents import Confusion, Unscored

COMPARED = {
    "likelihood": ("accuracy", "macro_f1"),
    "generation": (f"{GENERATED}accuracy",),
    "text": ("accuracy", "macro_f1", "rouge_l", "chrf"),
}
"""The metrics that models are compared in, by how the answers were read."""
_MAX_NAMED = 5


class Scores(Record):
    """All figures of an evaluation."""

    metrics: tuple[MetricRow, ...]
    confusions: tuple[Confusion, ...]
    comparisons: tuple[ComparisonRow, ...]
    unscored: tuple[Unscored, ...]


def score(
    examples: Sequence[Example],
    predictions: Mapping[str, Sequence[Prediction]],
    settings: EvaluationSettings,
    seed: int,
) -> Scores:
    """Score every model on every task, and compare the first model with each other one.

    Args:
        examples: the items, usually the test split.
        predictions: by model, one for each item, in any order.
        settings: confidence and number of resamples.
        seed: of the resamples; equal seeds give equal figures.

    Raises:
        RunError: items without a prediction, twice predicted or unknown; log-likelihoods that do not fit the choices.
    """
    by_model = {model: _by_id(model, examples, found) for model, found in predictions.items()}
    readings = {
        (task, model): _readings(items, found)
        for task, items in _by_task(examples).items()
        for model, found in by_model.items()
    }
    metrics = [row for key, read in readings.items() for row in _metric_rows(*key, read, settings, seed)]
    tasks, models = list(_by_task(examples)), list(by_model)
    compared = [row for task in tasks for row in _comparisons(task, models, readings, settings, seed)]
    return Scores(
        metrics=tuple(metrics),
        confusions=tuple(matrix for key, read in readings.items() for matrix in _confusions(*key, read)),
        comparisons=tuple(comparison_rows(compared, settings.confidence)),
        unscored=tuple(_unscored(predictions)),
    )


# --- what was predicted --------------------------------------------------------------------------------------------
def _by_task(examples: Sequence[Example]) -> dict[str, list[Example]]:
    tasks: dict[str, list[Example]] = {}
    for example in examples:
        tasks.setdefault(example.task, []).append(example)
    return tasks


def _by_id(model: str, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, Prediction]:
    found = {prediction.example_id: prediction for prediction in predictions}
    wanted = {example.id for example in examples}
    times = Counter(prediction.example_id for prediction in predictions)
    repeated = [name for name, number in times.items() if number > 1]
    faults = [
        *_fault(model, "no prediction for", sorted(wanted - set(found))),
        *_fault(model, "a prediction for unknown", sorted(set(found) - wanted)),
        *_fault(model, "several predictions for", repeated),
        *(fault for example in examples if example.id in found for fault in _misfits(example, found[example.id])),
    ]
    if faults:
        raise RunError(*faults, hint="These predictions were made for other items: predict with this model again.")
    return found


def _fault(model: str, what: str, example_ids: Sequence[str]) -> list[str]:
    more = ", ..." if len(example_ids) > _MAX_NAMED else ""
    named = ", ".join(example_ids[:_MAX_NAMED]) + more
    return [f"{model}: {what} {len(example_ids)} item(s): {named}"] if example_ids else []


def _misfits(example: Example, prediction: Prediction) -> Iterable[str]:
    logprobs = prediction.choice_logprobs
    if logprobs and len(logprobs) != len(example.choices):
        yield f"{example.row}: {prediction.model}: {len(logprobs)} log-likelihoods for {len(example.choices)} choices"
    elif any(map(math.isnan, logprobs)):
        yield f"{example.row}: {prediction.model}: a log-likelihood is not a number"


def _unscored(predictions: Mapping[str, Sequence[Prediction]]) -> Iterable[Unscored]:
    for model, found in predictions.items():
        reasons = Counter((prediction.task, prediction.unscored) for prediction in found if prediction.unscored)
        for (task, reason), num_items in reasons.items():
            yield Unscored(model=model, task=task, reason=str(reason), num_items=num_items)


def _readings(items: Sequence[Example], found: Mapping[str, Prediction]) -> dict[str, Answers]:
    """The model's answers to one task, by the ways they can be read."""
    pairs: list[Pair] = [(item, found[item.id]) for item in items if found[item.id].unscored is None]
    if not pairs:
        return {}
    if not _is_closed(items):
        return {"text": by_text(pairs)}
    generation = {"generation": by_generation(pairs, items)}
    return {"likelihood": by_likelihood(pairs, items), **generation} if _has_likelihoods(pairs) else generation


def _is_closed(items: Sequence[Example]) -> bool:
    without = [item for item in items if not item.choices]
    if without and len(without) < len(items):
        raise RunError(
            f"{without[0].row}: task {items[0].task!r} has choices in {len(items) - len(without)} rows "
            f"and none in {len(without)}, of which this is the first",
            hint="Give all its rows choices, or none, or a task of their own (`task:` of the source).",
        )
    return not without


def _has_likelihoods(pairs: Sequence[Pair]) -> bool:
    """Whether all items have log-likelihoods; a model behind an interface that gives none has them for no item."""
    without = [pair for pair in pairs if not pair[1].choice_logprobs]
    if without and len(without) < len(pairs):
        example, prediction = without[0]
        raise RunError(
            f"{example.row}: {prediction.model}: {len(without)} of {len(pairs)} items of task {example.task!r} "
            "have no log-likelihoods; this is the first",
            hint="Predict with this model again.",
        )
    return not without


# --- figures -------------------------------------------------------------------------------------------------------
def _metric_rows(
    task: str, model: str, readings: Mapping[str, Answers], settings: EvaluationSettings, seed: int
) -> Iterable[MetricRow]:
    for scoring, answers in readings.items():
        generator = np.random.default_rng(derived_seed(seed, "interval", task, model, scoring))
        intervals = _intervals(answers, settings, generator)
        for metric in answers.figures:
            share = answers.shares.get(metric)
            yield MetricRow(
                model=model,
                task=task,
                metric=metric,
                value=answers.value(metric),
                low=intervals[metric].low,
                high=intervals[metric].high,
                num_unparsed=answers.num_unparsed,
                n=int(share.among.sum()) if share else len(answers.example_ids),
            )


def _intervals(answers: Answers, settings: EvaluationSettings, generator: np.random.Generator) -> dict[str, Interval]:
    groups = np.array(answers.groups, dtype=object)
    shares = {
        metric: proportion(share.hits[share.among], list(groups[share.among]), settings.confidence)
        for metric, share in answers.shares.items()
        if metric in answers.figures
    }
    others = {metric: figure for metric, figure in answers.figures.items() if metric not in shares}
    return shares | bootstrap(
        answers.contributions,
        answers.groups,
        others,
        num_resamples=settings.num_resamples,
        confidence=settings.confidence,
        generator=generator,
    )


def _confusions(task: str, model: str, readings: Mapping[str, Answers]) -> Iterable[Confusion]:
    for scoring, answers in readings.items():
        if answers.labels:
            extra = ("unparsed",) if scoring == "generation" else ()
            columns = answers.labels + extra
            counts = tuple(tuple(map(int, row[: len(columns)])) for row in answers.confusion)
            yield Confusion(
                task=task, model=model, scoring=scoring, rows=answers.labels, columns=columns, counts=counts
            )


# --- comparisons ---------------------------------------------------------------------------------------------------
def _comparisons(
    task: str,
    models: Sequence[str],
    readings: Mapping[tuple[str, str], Mapping[str, Answers]],
    settings: EvaluationSettings,
    seed: int,
) -> Iterable[Compared]:
    for model in models[1:]:
        first, other = readings[task, models[0]], readings[task, model]
        for scoring in (scoring for scoring in first if scoring in other):
            a, b, num_left_out = _on_the_same_items(first[scoring], other[scoring])
            for metric in (metric for metric in COMPARED[scoring] if metric in a.figures and a.example_ids):
                generator = np.random.default_rng(derived_seed(seed, "compare", task, metric, models[0], model))
                paired = _compare(a, b, metric, Resampling(settings.num_resamples, settings.confidence, generator))
                yield Compared(task, metric, models[0], model, a.value(metric), b.value(metric), paired, num_left_out)


def _on_the_same_items(a: Answers, b: Answers) -> tuple[Answers, Answers, int]:
    """Both on the items that both answered, and how many only one did."""
    ids_a, ids_b = set(a.example_ids), set(b.example_ids)
    if ids_a == ids_b:
        return a, b, 0
    return a.only(ids_a & ids_b), b.only(ids_a & ids_b), len(ids_a ^ ids_b)


def _compare(a: Answers, b: Answers, metric: str, how: Resampling) -> Paired:
    check_same_items(a.example_ids, b.example_ids, metric)
    if metric in a.shares:
        return compare_shares(list(a.shares[metric].hits), list(b.shares[metric].hits), a.groups, how)
    return compare_figures(a.contributions, b.contributions, a.figures[metric], a.groups, how)
