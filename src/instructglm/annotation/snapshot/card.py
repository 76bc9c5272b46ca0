"""`card.md` of a snapshot: what is in and what is not, who said so, and how far they agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from instructglm.annotation.snapshot.ledger import MEANINGS
from instructglm.annotation.snapshot.manifest import (
    AgreementFigures,
    AnnotatorFigures,
    Coverage,
    Figure,
    Manifest,
    Summary,
)
from instructglm.annotation.snapshot.preferences import WHY_NOT
from instructglm.core.markdown import plain, table

_MISSING = "–"
_MOST_ROWS = 50  # of a table; the manifest has all


def card_markdown(manifest: Manifest) -> str:
    """What, who, how far they agree and can be relied on, coverage, sources and licences, and the ledger's counts."""
    summary = manifest.summary
    parts = [
        f"# {plain(summary.project)}",
        _taken(manifest),
        "## What is in",
        _contents(summary),
        "## Who annotated",
        _people(manifest),
        "## How far they agree",
        _agreement(manifest),
        "## How far each can be relied on",
        _annotators(manifest.annotators),
        "## Coverage",
        *_coverage(summary.coverage),
        "## Left out",
        _left_out(summary),
        "## Files",
        table(["file", "sha256"], list(manifest.files.items())),
    ]
    return "\n\n".join(parts) + "\n"


def _taken(manifest: Manifest) -> str:
    day = datetime.fromtimestamp(manifest.event_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    summary = manifest.summary
    return f"Snapshot `{summary.name}`, taken after event `{summary.event}` of the log ({day})."


def _contents(summary: Summary) -> str:
    rows = [
        ["instructions in the project", _count(summary.num_instructions)],
        ["instructions that are in", _count(summary.num_examples)],
        ["of them closed questions", _count(summary.num_closed)],
        ["accepted outputs and labels", _count(summary.num_outputs)],
        *([f"of them {origin}", _count(number)] for origin, number in summary.origins.items()),
        *([f"decided by {who}", _count(number)] for who, number in summary.decided_by.items()),
        ["preference pairs", _count(summary.preferences.num_pairs)],
    ]
    options = summary.options
    rules = [
        ["labels are made one by", options.label_model],
        ["people an instruction, at least", _count(options.min_annotators)],
        ["confidence of a label, at least", f"{options.min_confidence:g}"],
        ["rating of an output, at least", f"{options.min_rating:g} of the scale"],
        ["imported outputs nobody judged", "in" if options.accept_imported else "out"],
        ["gold items", "in" if options.with_gold else "out"],
    ]
    return f"{table(['what', 'number'], rows)}\n\n{table(['rule', 'value'], rules)}"


def _people(manifest: Manifest) -> str:
    rows = [["annotators", _count(manifest.num_annotators)], ["reviewers", _count(manifest.num_reviewers)]]
    rows += [["instructions a reviewer decided", _count(manifest.num_reviewed)]]
    rows += [[f"answers in round {number}", _count(n)] for number, n in manifest.num_answers_by_round.items()]
    rows += [
        [f"answers under guideline {version}" if version else "answers without a guideline", _count(n)]
        for version, n in manifest.num_answers_by_guideline.items()
    ]
    scales = [f"{name} from {low} to {high}" for name, (low, high) in manifest.criteria.items()]
    asked = f"Ratings were asked for: {plain(', '.join(scales))}." if scales else "No ratings were asked for."
    return f"{table(['who', 'number'], rows)}\n\n{asked}"


def _agreement(manifest: Manifest) -> str:
    if not manifest.agreement:
        return "Nobody gave labels or ratings."
    head = [
        "of",
        "part",
        "items",
        "judgements",
        "annotators",
        "equal pairs",
        "Krippendorff's alpha",
        "Gwet's AC",
        "note",
    ]
    lines = [table(head, [_agreement_row(one) for one in manifest.agreement])]
    lines += ["Items are those with two judgements or more. Intervals are at 95 %, by a bootstrap over items."]
    if manifest.num_subjects_untold:
        lines.append(f"{_count(manifest.num_subjects_untold)} tasks with fewer labels are not told.")
    return "\n\n".join(lines)


def _agreement_row(one: AgreementFigures) -> list[str]:
    counts = [_count(one.alpha.num_items), _count(one.alpha.num_judgements), _count(one.num_annotators)]
    figures = [_figure(figure) for figure in (one.percent, one.alpha, one.gwet_ac)]
    return [one.subject, one.part or "all", *counts, *figures, one.alpha.note]


def _figure(one: Figure) -> str:
    if one.value is None:
        return _MISSING
    interval = "" if one.low is None or one.high is None else f" ({one.low:.3f} to {one.high:.3f})"
    return f"{one.value:.3f}{interval}"


def _annotators(annotators: Sequence[AnnotatorFigures]) -> str:
    if not annotators:
        return "Nobody gave labels or ratings that count."
    rows = [
        [
            one.annotator,
            _count(one.num_labels),
            _optional(one.label_accuracy, ".3f"),
            _count(one.num_shared_ratings),
            _optional(one.rating_bias, "+.2f"),
            _optional(one.rating_weight, ".2f"),
        ]
        for one in annotators[:_MOST_ROWS]
    ]
    head = ["who", "labels", "expected to be right", "shared ratings", "points above the mean", "weight of a rating"]
    return table(head, rows) + _rest(len(annotators))


def _coverage(coverage: Sequence[Coverage]) -> Iterator[str]:
    by_column: dict[str, list[Coverage]] = {}
    for one in coverage:
        by_column.setdefault(one.column, []).append(one)
    if not by_column:
        yield "The project holds no instruction that is in use."
    untold = [column for column, values in by_column.items() if not any(one.value for one in values)]
    if untold:
        yield f"Not told of any instruction: {', '.join(untold)}."
    for column, values in by_column.items():
        if column in untold:
            continue
        rows = [
            [one.value or "(not told)", _count(one.num_instructions), _count(one.num_accepted)]
            for one in values[:_MOST_ROWS]
        ]
        yield table([column, "instructions", "in"], rows) + _rest(len(values))


def _left_out(summary: Summary) -> str:
    counts = (("instruction", summary.left_out.instructions), ("output", summary.left_out.outputs))
    meanings: dict[str, str] = dict([*MEANINGS.items(), *WHY_NOT.items()])
    rows = [
        [what, reason, _count(number), meanings[reason]]
        for what, reasons in (*counts, ("pair", summary.preferences.left_out))
        for reason, number in reasons.items()
    ]
    told = [table(["what", "reason", "number", "meaning"], rows) if rows else "Nothing was left out."]
    if summary.num_unusable_ratings:
        n = _count(summary.num_unusable_ratings)
        told.append(f"{n} ratings do not count: their criterion is no longer asked for, or its scale has changed.")
    if summary.num_counted_labels:
        n = _count(summary.num_counted_labels)
        told.append(f"The votes of {n} closed questions were counted: too few have the same choices to learn from.")
    told += [plain(warning) for warning in summary.warnings]
    return "\n\n".join([*told, "The ledger names every instruction and output."])


def _rest(number: int) -> str:
    return f"\n\nAnd {_count(number - _MOST_ROWS)} more, in the manifest." if number > _MOST_ROWS else ""


def _count(number: int) -> str:
    return f"{number:,}"


def _optional(value: float | None, form: str) -> str:
    return _MISSING if value is None else f"{value:{form}}"
