"""`card.md`: what a dataset holds and what it left out, for those who read it without a browser."""

from __future__ import annotations

from collections.abc import Iterable

from instructglm.core.markdown import plain, table
from instructglm.report.contents import AgreementSummary, DataCard, SourceCard, TaskCard
from instructglm.report.numerals import MISSING, count
from instructglm.report.words import phrase

_SPLITS = ("train", "validation", "test")


def card_markdown(data: DataCard) -> str:
    """Sources with hashes, examples and answers per split, agreement of the annotators, and the ledger's counts."""
    parts = [f"# {plain(data.name)}", f"Dataset `{data.hash}`", "## Sources", _sources(data), "## Examples"]
    parts += [_task(card) for card in data.tasks]
    if data.agreement:
        parts += ["## How far the annotators agree", _agreement(data.agreement)]
    parts += ["## Rows left out", _ledger(data)]
    return "\n\n".join(parts) + "\n"


def _sources(data: DataCard) -> str:
    rows = [[_named(s), s.task, s.format, count(s.num_rows), s.sha256] for s in data.sources]
    return table(["file", "task", "format", "rows", "sha256"], rows)


def _named(source: SourceCard) -> str:
    return f"{source.path} ({source.origin})" if source.origin else source.path


def _task(card: TaskCard) -> str:
    counts = [
        ["examples", *(count(card.num_examples.get(split, 0)) for split in _SPLITS)],
        ["outputs", *(count(card.num_outputs.get(split, 0)) for split in _SPLITS)],
    ]
    answers = [
        [f"answer: {choice}", *(count(card.answers.get(split, {}).get(choice, 0)) for split in _SPLITS)]
        for choice in card.choices
    ]
    return f"### {plain(card.task)} ({card.kind})\n\n" + table(["", *_SPLITS], counts + answers)


def _agreement(summaries: Iterable[AgreementSummary]) -> str:
    rows = [
        [
            s.task,
            count(s.num_items),
            count(s.num_ratings),
            f"{s.num_annotators_min} to {s.num_annotators_max}",
            _alpha(s),
            s.level,
            s.note,
        ]
        for s in summaries
    ]
    head = ["task", "items", "ratings", "raters an item", "Krippendorff's alpha", "level", "note"]
    return table(head, rows)


def _alpha(summary: AgreementSummary) -> str:
    if summary.alpha is None:
        return MISSING
    if summary.alpha_low is None or summary.alpha_high is None:
        return f"{summary.alpha:.3f}"
    return f"{summary.alpha:.3f} ({summary.alpha_low:.3f} to {summary.alpha_high:.3f})"


def _ledger(data: DataCard) -> str:
    if not data.ledger_counts:
        return phrase("ledger_empty")[0]
    rows = [[reason, count(number), phrase(f"reason.{reason}")[0]] for reason, number in data.ledger_counts.items()]
    return table(["reason", "rows", "meaning"], rows) + "\n\nThe manifest and the report name every row."
