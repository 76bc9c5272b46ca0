"""Drawing: elements, scales and round tick values. Colours come from the page's style sheet, by class."""

from __future__ import annotations

import math
from collections.abc import Callable

from markupsafe import Markup, escape

Scale = Callable[[float], float]


def element(name: str, content: str = "", **attributes: object) -> Markup:
    """One SVG element; `class_` becomes `class`, `stroke_width` becomes `stroke-width`."""
    pairs = ((key.rstrip("_").replace("_", "-"), _plain(value)) for key, value in attributes.items())
    written = Markup("").join(Markup(' {}="{}"').format(key, value) for key, value in pairs)
    return Markup("<{0}{1}>{2}</{0}>").format(name, written, content)


def _plain(value: object) -> object:
    """Tenths of a pixel are fine enough, and keep the page small."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value


def drawing(width: float, height: float, label: str, *children: Markup, class_: str = "") -> Markup:
    """A whole picture, `width` units wide, with a text for those who cannot see it."""
    return element(
        "svg",
        element("title", label) + Markup("").join(children),
        viewBox=f"0 0 {width:g} {height:g}",
        width=f"{width:g}",
        height=f"{height:g}",
        role="img",
        class_=class_,
    )


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def text(x: float, y: float, content: object, class_: str = "", anchor: str = "start") -> Markup:
    """One line of text on baseline `y`."""
    return element("text", escape(content), x=x, y=y, class_=class_, text_anchor=anchor)


def text_in_both(x: float, y: float, pair: tuple[str, str], class_: str = "", anchor: str = "start") -> Markup:
    """Text in both languages, of which the style sheet shows one."""
    return Markup("").join(
        text(x, y, content, f"{class_} {language}".strip(), anchor)
        for content, language in zip(pair, ("en", "zh"), strict=True)
    )


def polyline(points: list[tuple[float, float]], class_: str) -> Markup:
    """A broken line through the points."""
    return element("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=class_)


def marker(index: int, x: float, y: float) -> Markup:
    """The sign of the model at this place: hollow circle, full circle, then square, diamond and triangle."""
    class_ = f"marker m{min(index, 4)}"
    if index < 2:
        return element("circle", cx=x, cy=y, r=5, class_=class_)
    shapes = (((-5, -5), (5, -5), (5, 5), (-5, 5)), ((0, -6), (6, 0), (0, 6), (-6, 0)), ((0, -6), (6, 5), (-6, 5)))
    corners = shapes[min(index - 2, len(shapes) - 1)]
    return element("polygon", points=" ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners), class_=class_)


def linear(low: float, high: float, start: float, end: float) -> Scale:
    """Map [low, high] onto [start, end]."""
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def round_ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Some `about` round values that reach from at or below `low` to at or above `high`.

    >>> round_ticks(0.13, 2.7)
    [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    """
    step = round_step((high - low) / about or abs(high) or 1.0)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 10) for number in range(first, max(last, first + 1) + 1)]


def round_step(raw: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is not below `raw`."""
    power = 10.0 ** math.floor(math.log10(raw))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * (1 - 1e-9))
