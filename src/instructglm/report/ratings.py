"""Pictures of what annotators gave: all ratings, one item's ratings, and how far they agree."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from markupsafe import Markup

from instructglm.report import svg
from instructglm.report.numerals import count

_WIDTH = 360


def rating_histogram(histogram: Mapping[str, int]) -> Markup:
    """A bar for each rating, with its count above."""
    bars = sorted(histogram.items(), key=_rating_order)
    if not bars:
        return Markup("")
    room, most, height = _WIDTH / len(bars), max(max(histogram.values()), 1), 130
    parts = []
    for index, (rating, number) in enumerate(bars):
        x, size = room * index, 84 * number / most
        parts += [
            svg.element("rect", x=x + room * 0.12, y=104 - size, width=room * 0.76, height=size, class_="bar"),
            svg.text(x + room / 2, 99 - size, _short_count(number), "tick", "middle"),
            svg.text(x + room / 2, 122, rating.replace("-", "−"), "tick", "middle"),
        ]
    spoken = "; ".join(f"{rating}: {count(number)}" for rating, number in bars)
    return svg.drawing(_WIDTH, height, spoken, *parts)


def _rating_order(bar: tuple[str, int]) -> tuple[float, str]:
    try:
        return float(bar[0]), ""
    except ValueError:
        return math.inf, bar[0]


def _short_count(number: int) -> str:
    return count(number) if number < 10_000 else f"{number / 1000:.0f}k"


def ratings_strip(ratings: Sequence[float], low: float, high: float) -> Markup:
    """A small bar chart of one item's ratings, on the scale of all items."""
    found = Counter(ratings)
    scale, most = svg.linear(low, high, 6, 114), max(found.values(), default=1)
    bars = (svg.line(scale(value), 24, scale(value), 24 - 20 * n / most, "strip") for value, n in found.items())
    return svg.drawing(120, 26, ratings_in_words(ratings), svg.line(2, 25, 118, 25, "grid"), *bars)


def ratings_in_words(ratings: Sequence[float]) -> str:
    """Each rating with how often it was given.

    >>> ratings_in_words([1, -2, 1])
    '−2, 1 ×2'
    """
    shown = ((f"{value:g}".replace("-", "−"), number) for value, number in sorted(Counter(ratings).items()))
    return ", ".join(value if number == 1 else f"{value} ×{number}" for value, number in shown)


def alpha_scale(alpha: float, low: float | None, high: float | None) -> Markup:
    """Where alpha lies between chance (0) and full agreement (1), with the customary marks at 0.667 and 0.8."""
    scale = svg.linear(min(0.0, alpha, low or 0.0), 1.0, 10, _WIDTH - 10)
    marks = [0.0, 0.667, 0.8, 1.0]
    parts = [svg.line(scale(a), 16, scale(b), 16, f"zone zone{index}") for index, (a, b) in enumerate(pairwise(marks))]
    parts += [svg.text(scale(mark), 38, f"{mark:g}", "tick", "middle") for mark in marks]
    if low is not None and high is not None:
        parts.append(svg.line(scale(low), 16, scale(high), 16, "whisker m1"))
    parts.append(svg.marker(1, scale(alpha), 16))
    return svg.drawing(_WIDTH, 44, f"alpha {alpha:.3f}", *parts)
