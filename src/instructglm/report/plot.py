"""What curves over optimizer steps share: axes, grid, lines, dots and the chosen step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from instructglm.report import svg
from instructglm.report.words import Pair, phrase

_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 14, 26, 44
_MAX_POINTS = 400

Points = Sequence[tuple[float, float]]
"""Step and value of each."""


@dataclass(frozen=True)
class Plot:
    """The axes: round values and steps, and where they lie."""

    width: int
    height: int
    values: Sequence[float]
    steps: Sequence[float]

    def x(self, step: float) -> float:
        return svg.linear(0, self.steps[-1], _LEFT, self.width - _RIGHT)(step)

    def y(self, value: float) -> float:
        return svg.linear(self.values[0], self.values[-1], self.floor, _TOP)(value)

    @property
    def floor(self) -> float:
        return float(self.height - _BOTTOM)

    def grid(self, axis: Pair, form: Callable[[float], str] = "{:g}".format) -> Markup:
        """Hairlines with their values, steps below, and what both are."""
        right = self.width - _RIGHT
        parts = [
            svg.line(_LEFT, self.y(value), right, self.y(value), "grid")
            + svg.text(_LEFT - 6, self.y(value) + 4, form(value), "tick", "end")
            for value in self.values
        ]
        parts += [svg.text(self.x(step), self.floor + 18, f"{step:g}", "tick", "middle") for step in self.steps]
        parts.append(svg.text_in_both(4, 12, axis, "axis"))
        parts.append(svg.text_in_both(right, self.height - 8, phrase("step_axis"), "axis", "end"))
        return Markup("").join(parts)

    def curve(self, points: Points, class_: str) -> Markup:
        """A line through the points; nothing where there are none."""
        if not points:
            return Markup("")
        return svg.polyline([(self.x(step), self.y(value)) for step, value in thinned(points)], class_)

    def dots(self, points: Points, best_step: int) -> Markup:
        """A dot for every check, a large one for the chosen."""
        best = [point for point in points if point[0] == best_step]
        return Markup("").join(
            svg.element("circle", cx=self.x(step), cy=self.y(value), r=radius, class_="validation-dot")
            for some, radius in ((thinned(points), 3), (best, 6))
            for step, value in some
        )

    def resumed(self, steps: Sequence[int]) -> Markup:
        """A short mark on the floor at each step at which training went on."""
        ticks = ((self.x(step), self.floor) for step in steps)
        return Markup("").join(svg.line(x, floor, x, floor - 10, "resumed") for x, floor in ticks)

    def chosen(self, step: int) -> Markup:
        """An upright line at the chosen step."""
        return svg.line(self.x(step), self.floor, self.x(step), _TOP, "chosen")

    def chosen_label(self, step: int) -> Markup:
        """What the line says, on the side that has room."""
        x = self.x(step)
        side, anchor = (8, "start") if x < self.width / 2 else (-8, "end")
        return svg.text_in_both(x + side, _TOP + 14, phrase("chosen", step=step), "chosen-label", anchor)


def thinned(points: Points) -> Points:
    """At most so many points as can be told apart, the last one among them."""
    stride = -(-len(points) // _MAX_POINTS) or 1
    return [*points[:-1][::stride], *points[-1:]]
