"""`index.html`: the report as one file that needs nothing else.

The page forbids itself, by its own content security policy, to load anything or
to run any script but ours: were an escape ever missed, it would still do no harm.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from instructglm.report import curves, figures, numerals, ratings
from instructglm.report.account import account
from instructglm.report.contents import AgreementSummary, Report
from instructglm.report.expected import expectations
from instructglm.report.items import is_unparsed, items_of, was_interpreted
from instructglm.report.matrices import side_by_side
from instructglm.report.results import TaskResults, model_names, outcome, task_results
from instructglm.report.visible import inert, visible
from instructglm.report.words import bilingual, metric_words, words

SPLITS = ("train", "validation", "test")


def render_html(report: Report) -> str:
    """The whole page as one string, in UTF-8 when written.

    It refers to no other file or host, shows all data as text, and works
    without JavaScript as a plain list.
    """
    style, script = _asset("style.css"), _asset("script.js")
    page = (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            confidence=f"{report.confidence * 100:g} %",
            models=model_names(report),
            num_train=sum(card.num_examples.get("train", 0) for card in report.data.tasks),
            tasks=task_results(report),
            matrices=side_by_side(report.confusions),
            items=items_of(report),
            reasons=account(report.data),
            style=Markup(style),
            script=Markup(script),
            script_hash=_csp_hash(script),
        )
    )
    return inert(page)


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath("pages", name).read_text(encoding="utf-8")


def _csp_hash(script: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


@cache
def _environment() -> Environment:
    """The templates with the functions they may call."""
    environment = Environment(
        loader=PackageLoader("instructglm.report", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "visible": visible,
        "percent": numerals.percent,
        "count": numerals.count,
        "duration": numerals.duration,
    }
    environment.globals |= {
        "t": words,
        "metric_name": _metric_name,
        "splits": SPLITS,
        "score_text": numerals.score,
        "difference_text": numerals.difference,
        "p_text": numerals.p_value,
        "verdict_text": verdict_words,
        "outcome": outcome,
        "is_unparsed": is_unparsed,
        "was_interpreted": was_interpreted,
        "figures": figures,
        "curves": curves,
        "expectations": expectations,
        "ratings": ratings,
        "num_not_finite": _num_not_finite,
        "alpha_key": _alpha_key,
        "rating_range": _rating_range,
    }
    return environment


def verdict_words(results: TaskResults, confidence: float) -> Markup:
    """The verdict on one task as a sentence, which says so where no difference is shown."""
    row = results.verdict
    if row is None:
        return words("no_comparison")
    return words(
        f"verdict.{outcome(row, confidence)}",
        a=row.a,
        b=row.b,
        metric=_metric_name(row.metric, results.kind),
        difference=_unbroken(numerals.difference(row.difference, row.low, row.high, share=results.is_share(row))),
        p=_unbroken(f"p {numerals.p_value(row.p_value)}"),
    )


def _unbroken(text: str) -> Markup:
    """A figure that no line break tears apart."""
    return Markup('<span class="unbroken">{}</span>').format(text)


def _metric_name(metric: str, kind: str) -> Markup:
    return bilingual(metric_words(metric, kind))


def _num_not_finite(report: Report) -> int:
    """Losses that no curve can show."""
    points = (*report.training.train_curve, *report.training.validation_curve) if report.training else ()
    return len(points) - len(curves.finite(points))


def _alpha_key(alpha: float) -> str:
    """How Krippendorff (2004) reads alpha: 0.8 and above to rely on, down to 0.667 for tentative conclusions."""
    if alpha >= 0.8:
        return "alpha_reliable"
    return "alpha_tentative" if alpha >= 0.667 else "alpha_weak"


def _rating_range(agreement: AgreementSummary) -> tuple[float, float]:
    """The lowest and the highest rating of the items shown, so that their strips share one scale."""
    values = [value for item in agreement.split_items for value in item.ratings] or [0.0]
    return min(values), max(values)
