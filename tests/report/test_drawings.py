"""Scales, ticks, curves and shades."""

import math
import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from instructglm.report import ratings, svg
from instructglm.report.contents import Confusion, CurvePoint, MetricCurve, TrainingCard
from instructglm.report.curves import chance, learning_curves, metric_curve, smoothed
from instructglm.report.matrices import side_by_side
from instructglm.report.plot import thinned

FIGURES = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 4))


@given(FIGURES, st.floats(1e-3, 1e6))
def test_ticks_hold_the_range_and_are_evenly_spaced(low: float, span: float) -> None:
    ticks = svg.round_ticks(low, low + span)
    assert ticks[0] <= low + span * 1e-6
    assert ticks[-1] >= low + span - span * 1e-6
    assert 2 <= len(ticks) <= 9
    gaps = [b - a for a, b in pairwise(ticks)]
    assert max(gaps) - min(gaps) < 1e-6 * max(1.0, abs(low), span)


def test_equal_losses_still_get_an_axis() -> None:
    for value in (0.0, 2.5, -3.0):
        ticks = svg.round_ticks(value, value)
        assert ticks[0] <= value <= ticks[-1]
        assert ticks[0] < ticks[-1]


@given(st.lists(st.floats(0, 10), max_size=1500))
def test_a_running_mean_stays_within_its_curve_and_thinning_keeps_the_ends(losses: list[float]) -> None:
    curve = [CurvePoint(step=step, loss=loss) for step, loss in enumerate(losses)]
    mean = smoothed(curve)
    assert len(mean) == (len(curve) if len(curve) >= 40 else 0)
    assert all(min(losses) - 1e-9 <= point.loss <= max(losses) + 1e-9 for point in mean)
    points = list(enumerate(losses))
    few = thinned(points)
    assert len(few) <= 401
    assert few[:1] == points[:1]
    assert few[-1:] == points[-1:]


def training(curve: tuple[CurvePoint, ...], validation: tuple[CurvePoint, ...], best_step: int) -> TrainingCard:
    return TrainingCard(
        method="full",
        num_trainable_parameters=1,
        num_parameters=1,
        num_steps=1,
        num_epochs=1,
        num_train_tokens=1,
        num_input_tokens=1,
        seconds=1,
        train_curve=curve,
        validation_curve=validation,
        best_step=best_step,
        stopped_early=False,
        verdict="",
        settings={},
    )


def test_every_point_lies_inside_the_picture() -> None:
    curve = tuple(CurvePoint(step=step, loss=1 / step) for step in range(1, 60))
    drawing = learning_curves(training(curve, curve[::7], best_step=57), 860)
    points = [point.split(",") for line in re.findall(r'points="([^"]+)"', drawing) for point in line.split()]
    assert len(points) == 59 + 59 + 9
    assert all(0 <= float(x) <= 860 and 0 <= float(y) <= 280 for x, y in points)
    assert "chosen: step 57" in drawing


def test_a_metric_is_drawn_in_percent_with_every_check_and_the_chosen_one() -> None:
    curve = MetricCurve(metric="macro_f1", num_items=100, steps=(0, 20, 40), values=(0.25, 0.7, 0.65))
    drawing = metric_curve(training((), (), best_step=20), curve, 420)
    points = [point.split(",") for point in re.findall(r'points="([^"]+)"', drawing)[0].split()]
    assert len(points) == 3
    assert float(points[0][1]) > float(points[2][1]) > float(points[1][1]), "the higher the figure, the higher the dot"
    assert drawing.count('r="3"') == 3
    assert drawing.count('r="6"') == 1
    assert "Macro F1, % of 100" in drawing
    assert ">70</text>" in drawing or ">80</text>" in drawing
    assert chance(curve) == "10"


def test_nothing_finite_draws_nothing() -> None:
    assert learning_curves(training((CurvePoint(step=1, loss=math.nan),), (), best_step=0), 360) == ""


def test_ratings_stand_in_the_order_of_the_scale() -> None:
    drawing = ratings.rating_histogram({"10": 1, "-4": 2, "2": 3, "skip": 1})
    assert re.findall(r">(−?\d+|skip)</text>", drawing)[1::2] == ["−4", "2", "10", "skip"]


def test_shades_follow_the_share_of_the_row_and_the_unparsed_column_is_marked() -> None:
    table = Confusion(
        task="t",
        model="base",
        scoring="generation",
        rows=("a", "b"),
        columns=("a", "b", "unparsed"),
        counts=((1, 199, 0), (0, 0, 0)),
    )
    (first, empty) = side_by_side([table])[0].matrices[0].rows
    assert [cell.shade for cell in first[1]] == [1, 10, 0]
    assert [cell.right for cell in first[1]] == [True, False, False]
    assert [cell.unparsed for cell in first[1]] == [False, False, True]
    assert [cell.share for cell in empty[1]] == [None, None, None]


def test_a_label_named_unparsed_is_a_label_where_answers_are_not_read() -> None:
    table = Confusion(
        task="t",
        model="base",
        scoring="likelihood",
        rows=("a", "unparsed"),
        columns=("a", "unparsed"),
        counts=((1, 2), (3, 4)),
    )
    assert side_by_side([table])[0].matrices[0].rows[1][1][1].right
