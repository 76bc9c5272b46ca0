"""Small pictures within a line of a page; the colours come from the style sheet, by class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from markupsafe import Markup

from instructglm.annotation.agreement import Coefficient, GroupAgreement
from instructglm.report import svg
from instructglm.report.ratings import ratings_in_words

_WIDTH, _HEIGHT = 120, 20


def dots(values: Sequence[float], low: float, high: float) -> Markup:
    """Ratings as dots on their scale, equal ones on top of each other."""
    scale, found = svg.linear(low, high, 8, _WIDTH - 8), Counter(values)
    most = max(found.values(), default=1)
    height = 12 + 8 * min(most, 5)
    parts = [svg.line(2, height - 4, _WIDTH - 2, height - 4, "grid")]
    for value, number in sorted(found.items()):
        step = min(8.0, 40.0 / number)
        parts += [
            svg.element("circle", cx=scale(value), cy=height - 9 - step * place, r=3.5, class_="dot")
            for place in range(number)
        ]
    return svg.drawing(_WIDTH, height, ratings_in_words(values), *parts, class_="dots")


def whisker(figure: Coefficient) -> Markup:
    """A coefficient with its interval between 0 and 1, and marks at 0.667 and 0.8; below 0 it stands at the edge.

    Nothing where there is no coefficient.
    """
    if figure.value is None:
        return Markup("")
    scale = svg.linear(0.0, 1.0, 6, _WIDTH - 6)
    middle = _HEIGHT / 2
    parts = [svg.line(scale(0), middle, scale(1), middle, "grid")]
    parts += [svg.line(scale(mark), 3, scale(mark), _HEIGHT - 3, "custom") for mark in (0.667, 0.8)]
    if figure.low is not None and figure.high is not None:
        parts.append(svg.line(scale(_within(figure.low)), middle, scale(_within(figure.high)), middle, "whisker"))
    parts.append(svg.element("circle", cx=scale(_within(figure.value)), cy=middle, r=4.5, class_="dot"))
    return svg.element(
        "svg",
        Markup("").join(parts),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        width=_WIDTH,
        height=_HEIGHT,
        aria_hidden="true",  # the figures stand beside it
        class_="whiskers",
    )


def _within(value: float) -> float:
    return min(1.0, max(0.0, value))


def over_time(periods: Sequence[GroupAgreement], label: str, first: str, last: str) -> Markup:
    """Alpha from period to period with its intervals; undefined ones are left out. `first` and `last` name the ends."""
    width, height, left = 480, 160, 44
    x = svg.linear(0, max(len(periods) - 1, 1), left + 12, width - 12)
    y = svg.linear(0.0, 1.0, height - 28, 10)
    parts = [
        svg.line(left, y(mark), width - 4, y(mark), "custom" if 0 < mark < 1 else "grid")
        + svg.text(left - 6, y(mark) + 4, f"{mark:g}", "tick", "end")
        for mark in (0.0, 0.667, 0.8, 1.0)
    ]
    parts += [
        svg.text(left, height - 6, first, "tick"),
        svg.text(width - 4, height - 6, last, "tick", "end"),
    ]
    known = [(place, one.alpha) for place, one in enumerate(periods) if one.alpha.value is not None]
    parts += [
        svg.line(x(place), y(_within(one.low)), x(place), y(_within(one.high)), "whisker")
        for place, one in known
        if one.low is not None and one.high is not None
    ]
    points = [(x(place), y(_within(one.value))) for place, one in known if one.value is not None]
    parts.append(svg.polyline(points, "curve"))
    parts += [svg.element("circle", cx=px, cy=py, r=4, class_="dot") for px, py in points]
    return svg.drawing(width, height, label, *parts, class_="overtime")


def hours(counts: Sequence[int], label: str) -> Markup:
    """A bar for each of some equal spans of time, the latest at the right."""
    room, height, most = 4, 28, max([1, *counts])
    parts = [svg.line(0, height - 1, room * len(counts), height - 1, "grid")]
    for place, number in enumerate(counts):
        if number:
            size = max(2.0, (height - 4) * number / most)
            parts.append(
                svg.element("rect", x=room * place, y=height - 1 - size, width=room - 1, height=size, class_="bar")
            )
    return svg.drawing(room * len(counts), height, label, *parts, class_="hours")
