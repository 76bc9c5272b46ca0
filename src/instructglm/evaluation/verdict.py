"""Comparisons in words, for somebody who has to decide and not to compute."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from instructglm.core.records import ComparisonRow
from instructglm.evaluation.answers import GENERATED
from instructglm.evaluation.compare import Paired
from instructglm.evaluation.metrics import METRICS

_AMONG_PARSED = "accuracy among the written answers that could be read"

DEFINITIONS: dict[str, str] = {
    **{name: metric.definition for name, metric in METRICS.items()},
    "precision[class]": "Of the items predicted as the class, the share that is of it; n counts those predictions.",
    "recall[class]": "Of the items of the class, the share predicted as it; n counts those items.",
    "f1[class]": "Harmonic mean of the class's precision and recall.",
    **{
        f"{GENERATED}{name}": f"As {name}, from the choice read in the written answer; an unreadable one is wrong."
        for name in ("accuracy", "macro_precision", "macro_recall", "macro_f1")
    },
    f"{GENERATED}accuracy_among_parsed": "Share of right choices among the written answers that could be read.",
}
"""Metric -> what it measures, in one sentence."""


class Compared(NamedTuple):
    """One comparison with all that its sentence needs. `num_left_out` items were answered by only one of the two."""

    task: str
    metric: str
    a: str
    b: str
    value_a: float
    value_b: float
    paired: Paired
    num_left_out: int = 0


def metric_in_words(metric: str) -> str:
    """The metric's name as it reads in the middle of a sentence.

    >>> metric_in_words("generated_accuracy"), metric_in_words("recall[joy]")
    ('accuracy of the written answer', 'recall of joy')
    """
    if metric == f"{GENERATED}accuracy_among_parsed":
        return _AMONG_PARSED
    if metric.startswith(GENERATED):
        return f"{metric_in_words(metric.removeprefix(GENERATED))} of the written answer"
    if per_class := re.fullmatch(r"(\w+)\[(.*)\]", metric, re.DOTALL):
        return f"{'F1' if per_class[1] == 'f1' else per_class[1]} of {per_class[2]}"
    return METRICS[metric].name


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm, 1979): comparing often enough finds something by chance, and this pays for it."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def comparison_rows(compared: Sequence[Compared], confidence: float) -> list[ComparisonRow]:
    """Rows with their verdicts. `p_value` is each test's own; the verdict goes by Holm's over all of one metric."""
    adjusted = [0.0] * len(compared)
    families = {metric: [i for i, one in enumerate(compared) if one.metric == metric] for metric in _metrics(compared)}
    for family in families.values():
        for index, p_value in zip(family, holm([compared[i].paired.p_value for i in family]), strict=True):
            adjusted[index] = p_value
    return [_row(one, adjusted[index], len(families[one.metric]), confidence) for index, one in enumerate(compared)]


def _metrics(compared: Sequence[Compared]) -> list[str]:
    return list(dict.fromkeys(one.metric for one in compared))


def _row(one: Compared, adjusted: float, num_tests: int, confidence: float) -> ComparisonRow:
    paired = one.paired
    return ComparisonRow(
        task=one.task,
        metric=one.metric,
        a=one.a,
        b=one.b,
        difference=paired.difference,
        low=paired.low,
        high=paired.high,
        p_value=paired.p_value,
        p_adjusted=adjusted,
        n=paired.n,
        test=paired.test + (f", Holm over {num_tests} in the verdict" if num_tests > 1 else ""),
        verdict=sentence(one, adjusted, num_tests, confidence),
    )


def is_real(paired: Paired, adjusted: float, confidence: float) -> bool:
    """Whether a difference can be claimed: the test says so, and the interval leaves 0 out."""
    return adjusted < 1 - confidence - 1e-12 and not paired.low <= 0.0 <= paired.high


def sentence(one: Compared, adjusted: float, num_tests: int, confidence: float) -> str:
    """What the comparison says, with everything needed to doubt it."""
    evidence = _evidence(one.paired, adjusted, num_tests, confidence) + _left_out(one)
    name, difference = metric_in_words(one.metric), one.paired.difference
    values = f"{_percent(one.value_b)} against {_percent(one.value_a)}"
    if is_real(one.paired, adjusted, confidence):
        better, change = ("better", "gain") if difference > 0 else ("worse", "loss")
        return (
            f"On {one.task}, {one.b} is {better} than {one.a}: {name} {values}, "
            f"a {change} of {_points(abs(difference))} points {evidence}."
        )
    return (
        f"On {one.task}, no difference can be claimed between {one.b} and {one.a}: {name} {values}, "
        f"{_signed(difference)} points {evidence}; with n = {one.paired.n} items a difference smaller than "
        f"about {_points(one.paired.detectable)} points would go unseen."
    )


def _evidence(paired: Paired, adjusted: float, num_tests: int, confidence: float) -> str:
    # A loss is told as a positive number, and its interval with it.
    low, high = (paired.low, paired.high)
    if is_real(paired, adjusted, confidence) and paired.difference < 0:
        low, high = -paired.high, -paired.low
    corrected = f" after Holm's correction for {num_tests} comparisons" if num_tests > 1 else ""
    return (
        f"({100 * confidence:g} % interval {_points(low)} to {_points(high)}, "
        f"{_p(adjusted)}{corrected}, n = {paired.n})"
    )


def _left_out(one: Compared) -> str:
    if not one.num_left_out:
        return ""
    return f" on the items that both answered ({one.num_left_out} that only one answered left out)"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return f"{100 * share + 0.0:.1f}".replace("-0.0", "0.0") if abs(share) < 0.0005 else f"{100 * share:.1f}"


def _signed(share: float) -> str:
    points = _points(share)
    return points if points.startswith("-") or points == "0.0" else f"+{points}"


def _p(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}" if p_value < 0.1 else f"p = {p_value:.2f}"
