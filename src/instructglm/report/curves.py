"""The learning curves: train and validation loss in one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from instructglm.report import svg
from instructglm.report.contents import CurvePoint, TrainingCard
from instructglm.report.words import phrase

_HEIGHT = 280
_MAX_POINTS = 400


def learning_curves(training: TrainingCard, width: int) -> Markup:
    """Losses against optimizer steps, in one axis, with the chosen checkpoint marked. Empty without a finite loss."""
    train, validation = _finite(training.train_curve), _finite(training.validation_curve)
    losses = [point.loss for point in (*train, *validation)]
    if not losses:
        return Markup("")
    ticks = svg.round_ticks(min(losses), max(losses))
    steps = svg.round_ticks(0, max(training.num_steps, *(point.step for point in (*train, *validation))), width // 100)
    across, up = svg.linear(0, steps[-1], 44, width - 14), svg.linear(ticks[0], ticks[-1], height - 44, 26)
    parts = [_curve_grid(ticks, steps, across, up, width, height)]
    parts += [svg.line(across(step), up(ticks[0]), across(step), up(ticks[0]) - 8, "resumed") for step in training.resumed_at]
    parts += [_curve(_thinned(train), across, up, "train-raw"), _curve(_thinned(_smoothed(train)), across, up, "train-smooth")]
    parts += [_chosen(training.best_step, validation, across, up, ticks, width)]
    parts += [_curve(_thinned(validation), across, up, "validation")]
    parts += [svg.element("circle", cx=across(point.step), cy=up(point.loss), r=3 if point.step != training.best_step else 6,
                          class_="validation-dot") for point in _thinned(validation)]
    return svg.drawing(width, height, f"Learning curves. {training.verdict}", *parts, class_="curves")


def _finite(curve: Sequence[CurvePoint]) -> list[CurvePoint]:
    return [point for point in curve if math.isfinite(point.loss)]


def _smoothed(curve: Sequence[CurvePoint]) -> list[CurvePoint]:
    """A running mean over a twentieth of the curve; nothing where the curve is too short to need one."""
    reach = len(curve) // 40
    if reach == 0:
        return []
    windows = (curve[max(0, at - reach):at + reach + 1] for at in range(len(curve)))
    return [CurvePoint(step=point.step, loss=sum(p.loss for p in window) / len(window))
            for point, window in zip(curve, windows, strict=True)]


def _thinned(curve: Sequence[CurvePoint]) -> Sequence[CurvePoint]:
    """At most so many points, the last one among them: more do not show."""
    stride = -(-len(curve) // _MAX_POINTS) or 1
    return [*curve[:-1][::stride], *curve[-1:]]


def _curve(curve: Sequence[CurvePoint], across: svg.Scale, up: svg.Scale, class_: str) -> Markup:
    return svg.polyline([(across(point.step), up(point.loss)) for point in curve], class_) if curve else Markup("")


def _curve_grid(
    ticks: Sequence[float], steps: Sequence[float], across: svg.Scale, up: svg.Scale, width: float, height: float
) -> Markup:
    parts = [svg.line(44, up(tick), width - 14, up(tick), "grid") + svg.text(38, up(tick) + 4, f"{tick:g}", "tick", "end")
             for tick in ticks]
    parts += [svg.text(across(step), height - 26, f"{step:g}", "tick", "middle") for step in steps]
    parts += [svg.text_in_both(4, 12, phrase("loss_axis"), "axis"),
              svg.text_in_both(width - 14, height - 8, phrase("step_axis"), "axis", "end")]
    return Markup("").join(parts)


def _chosen(
    step: int, validation: Sequence[CurvePoint], across: svg.Scale, up: svg.Scale, ticks: Sequence[float], width: float
) -> Markup:
    """An upright line at the chosen step, its label on the side that has room."""
    x = across(step)
    side, anchor = (8, "start") if x < width / 2 else (-8, "end")
    mark = svg.line(x, up(ticks[0]), x, up(ticks[-1]), "chosen")
    return mark + svg.text_in_both(x + side, up(ticks[-1]) + 14, phrase("chosen", step=step), "chosen-label", anchor)
