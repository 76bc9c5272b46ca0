"""The learning curves: train and validation loss on one axis, and task metrics on the validation sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

from markupsafe import Markup

from instructglm.report import svg
from instructglm.report.contents import CurvePoint, MetricCurve, TrainingCard
from instructglm.report.plot import Plot, Points
from instructglm.report.words import metric_words, phrase

_HEIGHT, _METRIC_HEIGHT = 280, 200
SMOOTHED_FROM = 40
"""Points a curve must have to be drawn with a running mean as well."""


def learning_curves(training: TrainingCard, width: int) -> Markup:
    """Losses against optimizer steps, with the chosen checkpoint marked; nothing where no loss is finite."""
    train, validation = finite(training.train_curve), finite(training.validation_curve)
    losses = [point.loss for point in (*train, *validation)]
    if not losses:
        return Markup("")
    last = max(training.num_steps, *(point.step for point in (*train, *validation)))
    plot = Plot(width, _HEIGHT, svg.round_ticks(min(losses), max(losses)), svg.round_ticks(0, last, width // 100))
    return svg.drawing(
        width,
        _HEIGHT,
        f"Learning curves. {training.verdict}",
        plot.grid(phrase("loss_axis")),
        plot.resumed(training.resumed_at),
        plot.curve(_points(train), "train-raw"),
        plot.curve(_points(smoothed(train)), "train-smooth"),
        plot.chosen(training.best_step) + plot.chosen_label(training.best_step),
        plot.curve(_points(validation), "validation"),
        plot.dots(_points(validation), training.best_step),
    )


def metric_curve(training: TrainingCard, metric: MetricCurve, width: int) -> Markup:
    """A task metric in percent against optimizer steps, with the chosen checkpoint marked."""
    last = max(training.num_steps, *metric.steps)
    low, high = min(metric.values), max(metric.values)
    plot = Plot(width, _METRIC_HEIGHT, svg.round_ticks(low, high, 4), svg.round_ticks(0, last, width // 100))
    points = list(zip(map(float, metric.steps), metric.values, strict=True))
    name = metric_words(metric.metric)
    return svg.drawing(
        width,
        _METRIC_HEIGHT,
        f"{name[0]} on {metric.num_items} validation items",
        plot.grid(
            (f"{name[0]}, % of {metric.num_items}", f"{name[1]}，{metric.num_items} 题，%"),
            lambda value: f"{100 * value:g}",
        ),
        plot.chosen(training.best_step),
        plot.curve(points, "validation"),
        plot.dots(points, training.best_step),
    )


def chance(metric: MetricCurve) -> str:
    """By how many points a share of so many items is off by chance alone, at most, 19 times in 20."""
    return f"{100 * 1.96 * math.sqrt(0.25 / metric.num_items):.0f}"


def finite(curve: Sequence[CurvePoint]) -> list[CurvePoint]:
    """The points that can be drawn."""
    return [point for point in curve if math.isfinite(point.loss)]


def smoothed(curve: Sequence[CurvePoint]) -> list[CurvePoint]:
    """A running mean over a twentieth of the curve; empty where the curve is too short to need one."""
    if len(curve) < SMOOTHED_FROM:
        return []
    reach, last = len(curve) // 40, len(curve)
    sums = [0.0, *accumulate(point.loss for point in curve)]
    spans = ((max(0, at - reach), min(last, at + reach + 1)) for at in range(last))
    means = [(sums[end] - sums[start]) / (end - start) for start, end in spans]
    return [CurvePoint(step=point.step, loss=mean) for point, mean in zip(curve, means, strict=True)]


def _points(curve: Sequence[CurvePoint]) -> Points:
    return [(point.step, point.loss) for point in curve]
