"""Scores and differences as dots and whiskers, one function a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from instructglm.core.records import ComparisonRow, MetricRow
from instructglm.report import svg
from instructglm.report.results import TaskResults
from instructglm.report.words import metric_words

_WIDTH = 360
_ROW, _HEAD, _FOOT = 20, 20, 24  # heights of one whisker, of a metric's name, and of the axis


def scores_figure(results: TaskResults) -> Markup:
    """Each model's score with its interval, from 0 to 100 %, one block a metric."""
    scale = svg.linear(0, 1, 10, _WIDTH - 52)
    height = _block_height(results) * len(results.pictured) + _FOOT
    parts = [_axis(scale, height, [0, 0.25, 0.5, 0.75, 1], "{:.0f}")]
    for block, line in enumerate(results.pictured):
        top = block * _block_height(results)
        parts.append(svg.text_in_both(10, top + 13, metric_words(line.metric, results.kind), "name"))
        for index, row in enumerate(line.scores):
            if row and math.isfinite(row.value):
                parts.append(_score(row, index, scale, top + _HEAD + _ROW * (index + 0.5)))
    return svg.drawing(_WIDTH, height, _scores_in_words(results), *parts)


def differences_figure(results: TaskResults) -> Markup:
    """Each pair's difference with its interval around a line at zero, in points, beside `scores_figure`."""
    rows = [row for line in results.pictured for row in line.differences if row]
    limit = _difference_limit(rows)
    scale = svg.linear(-limit, limit, 14, _WIDTH - 52)
    height = _block_height(results) * len(results.pictured) + _FOOT
    parts = [
        _axis(scale, height, [-limit, -limit / 2, 0, limit / 2, limit], "{:+.3g}"),
        svg.line(scale(0), 0, scale(0), height - _FOOT, "zero"),
    ]
    for block, line in enumerate(results.pictured):
        top = block * _block_height(results)
        # Beside the scores the names stand there already; below them, on a phone, they are needed again.
        parts.append(svg.text_in_both(14, top + 13, metric_words(line.metric, results.kind), "name again"))
        parts += [
            _difference(row, scale, top + _HEAD + _ROW * (index + 0.5))
            for index, row in enumerate(line.differences)
            if row and math.isfinite(row.difference)
        ]
    return svg.drawing(_WIDTH, height, _differences_in_words(rows), *parts)


def _block_height(results: TaskResults) -> float:
    return _HEAD + _ROW * max(len(results.models), len(results.pairs)) + 6


def _axis(scale: svg.Scale, height: float, ticks: Sequence[float], form: str) -> Markup:
    """Upright hairlines with percentages below."""
    bottom = height - _FOOT
    shown = [form.format(tick * 100).replace("-", "−") if tick else "0" for tick in ticks]
    return Markup("").join(
        svg.line(scale(tick), 0, scale(tick), bottom, "grid")
        + svg.text(scale(tick), bottom + 16, text, "tick", "middle")
        for tick, text in zip(ticks, shown, strict=True)
    )


def _score(row: MetricRow, index: int, scale: svg.Scale, y: float) -> Markup:
    whisker = _whisker(row.low, row.high, scale, y, f"whisker m{min(index, 4)}")
    value = svg.text(_WIDTH - 2, y + 4, f"{row.value * 100:.1f}", "value", "end")
    return whisker + svg.marker(index, scale(row.value), y) + value


def _difference(row: ComparisonRow, scale: svg.Scale, y: float) -> Markup:
    sign = "positive" if row.low > 0 else "negative" if row.high < 0 else "unclear"
    dot = svg.element("circle", cx=scale(row.difference), cy=y, r=5, class_=f"marker {sign}")
    shown = f"{row.difference * 100:+.1f}".replace("-", "−")
    value = svg.text(_WIDTH - 2, y + 4, shown, "value", "end")
    return _whisker(row.low, row.high, scale, y, f"whisker {sign}") + dot + value


def _whisker(low: float, high: float, scale: svg.Scale, y: float, class_: str) -> Markup:
    if not (math.isfinite(low) and math.isfinite(high)):
        return Markup("")
    return svg.line(scale(low), y, scale(high), y, class_)


def _difference_limit(rows: Sequence[ComparisonRow]) -> float:
    """A round number of points that holds every interval."""
    ends = [abs(end) for row in rows for end in (row.low, row.high, row.difference) if math.isfinite(end)]
    return svg.round_step(max([0.02, *ends]))


def _scores_in_words(results: TaskResults) -> str:
    rows = [row for line in results.pictured for row in line.scores if row]
    return "; ".join(f"{row.model}, {row.metric}: {row.value:.1%} [{row.low:.1%}, {row.high:.1%}]" for row in rows)


def _differences_in_words(rows: Sequence[ComparisonRow]) -> str:
    return "; ".join(
        f"{row.b} minus {row.a}, {row.metric}: {row.difference:+.3f} [{row.low:+.3f}, {row.high:+.3f}]" for row in rows
    )


def model_sign(index: int) -> Markup:
    """The sign of one model, for the legend."""
    return svg.element("svg", svg.marker(index, 8, 8), viewBox="0 0 16 16", width=16, height=16, aria_hidden="true")


def share_bar(share: float) -> Markup:
    """A thin bar that fills `share` of its track."""
    track = svg.element("rect", x=0, y=0, width=80, height=8, rx=2, class_="track")
    return svg.element(
        "svg",
        track + svg.element("rect", x=0, y=0, width=80 * share, height=8, rx=2, class_="bar"),
        viewBox="0 0 80 8",
        width=80,
        height=8,
        aria_hidden="true",
    )
