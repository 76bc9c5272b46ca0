"""Figures and findings in the reader's words; an absent figure says why it is absent, and is never "nan"."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from instructglm.annotation.agreement import Coefficient, Finding
from instructglm.report.numerals import MISSING
from instructglm.studio.words import Words

_NOTES: Mapping[str, str] = {
    r"coefficient undefined: no item has two ratings": "note.no_pairs",
    r"coefficient undefined: one value used": "note.one_value",
    r"no interval: only one item has two ratings": "note.one_item",
    r"no interval: only (?P<sound>\d+) of (?P<draws>\d+) resamples hold two different values": "note.few_draws",
}


def number_said(value: float) -> str:
    """Three decimals, with a true minus.

    >>> number_said(-0.12345)
    '−0.123'
    """
    return f"{value:.3f}".replace("-", "−")


def figure_of(coefficient: Coefficient) -> str:
    """The value, or a dash."""
    return MISSING if coefficient.value is None else number_said(coefficient.value)


def interval_of(coefficient: Coefficient) -> str:
    """The interval, or nothing."""
    if coefficient.low is None or coefficient.high is None:
        return ""
    return f"[{number_said(coefficient.low)}, {number_said(coefficient.high)}]"


def note_said(note: str, t: Words) -> str:
    """Why a figure or its interval is absent; a note that has no words of its own stands as it is."""
    for pattern, key in _NOTES.items():
        if found := re.fullmatch(pattern, note):
            return t(key, **found.groupdict())
    return note


def finding_said(finding: Finding, t: Words, call: Callable[[str], str]) -> str:
    """What to do next, in the reader's language; `call` names a person."""
    told: dict[str, object] = {name: _said(name, value) for name, value in finding.figures.items()}
    if "annotator" in told:
        told["annotator"] = call(str(finding.figures["annotator"]))
    if finding.kind == "confused":
        version = finding.figures.get("guideline")
        told["guideline"] = t("finding.guideline", version=version) if version else t("finding.the_guideline")
    return t(f"finding.{finding.kind}", **told)


_SHARES = frozenset({"percent"})


def _said(name: str, value: float | int | str) -> object:
    if name in _SHARES:
        return f"{float(value):.0%}"
    return f"{value:.2f}".replace("-", "−") if isinstance(value, float) and name != "goal" else value


def period_said(start: str, t: Words) -> str:
    """The day on which a period begins."""
    return t("agreement.from_day", day=datetime.fromtimestamp(float(start), UTC).date().isoformat())
