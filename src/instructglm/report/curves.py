"""The learning curves: train and validation loss in one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from markupsafe import Markup

from instructglm.report import svg
from instructglm.report.contents import CurvePoint, TrainingCard
from instructglm.report.words import phrase

_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 280, 44, 14, 26, 44
_MAX_POINTS = 400
SMOOTHED_FROM = 40
"""Points a curve must have to be drawn with a running mean as well."""


@dataclass(frozen=True)
class _Plot:
    """The axes: round losses and steps, and where they lie."""

    width: int
    losses: Sequence[float]
    steps: Sequence[float]

    def x(self, step: float) -> float:
        return svg.linear(0, self.steps[-1], _LEFT, self.width - _RIGHT)(step)

    def y(self, loss: float) -> float:
        return svg.linear(self.losses[0], self.losses[-1], _HEIGHT - _BOTTOM, _TOP)(loss)

    @property
    def floor(self) -> float:
        return float(_HEIGHT - _BOTTOM)


def learning_curves(training: TrainingCard, width: int) -> Markup:
    """Losses against optimizer steps, with the chosen checkpoint marked; nothing where no loss is finite."""
    train, validation = finite(training.train_curve), finite(training.validation_curve)
    points = (*train, *validation)
    if not points:
        return Markup("")
    plot = _Plot(
        width,
        losses=svg.round_ticks(min(point.loss for point in points), max(point.loss for point in points)),
        steps=svg.round_ticks(0, max(training.num_steps, *(point.step for point in points)), width // 100),
    )
    return svg.drawing(
        width,
        _HEIGHT,
        f"Learning curves. {training.verdict}",
        _grid(plot),
        _resumed(plot, training.resumed_at),
        _curve(plot, train, "train-raw"),
        _curve(plot, smoothed(train), "train-smooth"),
        _chosen(plot, training.best_step),
        _curve(plot, validation, "validation"),
        _dots(plot, validation, training.best_step),
    )


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


def thinned(curve: Sequence[CurvePoint]) -> Sequence[CurvePoint]:
    """At most so many points as can be told apart, the last one among them."""
    stride = -(-len(curve) // _MAX_POINTS) or 1
    return [*curve[:-1][::stride], *curve[-1:]]


def _curve(plot: _Plot, curve: Sequence[CurvePoint], class_: str) -> Markup:
    if not curve:
        return Markup("")
    return svg.polyline([(plot.x(point.step), plot.y(point.loss)) for point in thinned(curve)], class_)


def _dots(plot: _Plot, curve: Sequence[CurvePoint], best_step: int) -> Markup:
    """A dot for every check, a large one for the chosen."""
    best = [point for point in curve if point.step == best_step]
    return Markup("").join(
        svg.element("circle", cx=plot.x(point.step), cy=plot.y(point.loss), r=radius, class_="validation-dot")
        for points, radius in ((thinned(curve), 3), (best, 6))
        for point in points
    )


def _grid(plot: _Plot) -> Markup:
    right = plot.width - _RIGHT
    parts = [
        svg.line(_LEFT, plot.y(loss), right, plot.y(loss), "grid")
        + svg.text(_LEFT - 6, plot.y(loss) + 4, f"{loss:g}", "tick", "end")
        for loss in plot.losses
    ]
    parts += [svg.text(plot.x(step), plot.floor + 18, f"{step:g}", "tick", "middle") for step in plot.steps]
    parts.append(svg.text_in_both(4, 12, phrase("loss_axis"), "axis"))
    parts.append(svg.text_in_both(right, _HEIGHT - 8, phrase("step_axis"), "axis", "end"))
    return Markup("").join(parts)


def _resumed(plot: _Plot, steps: Sequence[int]) -> Markup:
    ticks = ((plot.x(step), plot.floor) for step in steps)
    return Markup("").join(svg.line(x, floor, x, floor - 10, "resumed") for x, floor in ticks)


def _chosen(plot: _Plot, step: int) -> Markup:
    """An upright line at the chosen step, its label on the side that has room."""
    x = plot.x(step)
    side, anchor = (8, "start") if x < plot.width / 2 else (-8, "end")
    label = svg.text_in_both(x + side, _TOP + 14, phrase("chosen", step=step), "chosen-label", anchor)
    return svg.line(x, plot.floor, x, _TOP, "chosen") + label
