"""The results as plain text for a terminal, a log or an issue."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from instructglm.core.records import ComparisonRow, MetricRow
from instructglm.report import numerals
from instructglm.report.contents import Report
from instructglm.report.results import Line, TaskResults, outcome, task_results
from instructglm.report.words import metric_words, phrase

_WIDTH = 100
_NAME_WIDTH = 24  # longer names are cut, so that a row of figures never breaks


def summary_table(report: Report) -> str:
    """The main figures of every task, with intervals, paired differences and the verdict in words.

    Lines of at most 100 columns without colours; our own words are ASCII, whatever the terminal's encoding.
    """
    head = f"{report.title} ({report.confidence * 100:g} % intervals; differences in points, paired item by item)"
    blocks = [textwrap.fill(head, _WIDTH)]
    for results in task_results(report):
        blocks += [_block(results, pair, report.confidence) for pair in range(max(1, len(results.pairs)))]
    return "\n\n".join(blocks).replace("−", "-").replace(numerals.MISSING, "-") + "\n"


def _block(results: TaskResults, pair: int, confidence: float) -> str:
    """One task and one pair of models: a title, a table, a verdict."""
    a, b = results.pairs[pair] if results.pairs else (*results.models, "", "")[:2]
    rows = [
        [line.metric, _score(line, results, a), _score(line, results, b), *_difference(line, pair)]
        for line in results.main
    ]
    notes = [_unparsed(line, results, (a, b)) for line in results.main if line.metric.startswith("generated_")]
    row = next((line.differences[pair] for line in results.main if results.pairs and line.differences[pair]), None)
    return "\n".join(
        [
            *textwrap.wrap(f"{results.task}, {results.num_items} test items", _WIDTH),
            *_columns([["metric", a, b, "difference", "p"], *rows]),
            *notes[:1],
            *textwrap.wrap(_verdict(row, results, confidence), _WIDTH, initial_indent="=> ", subsequent_indent="   "),
        ]
    )


def _row_of(line: Line, results: TaskResults, model: str) -> MetricRow | None:
    return line.scores[results.models.index(model)] if model in results.models else None


def _score(line: Line, results: TaskResults, model: str) -> str:
    row = _row_of(line, results, model)
    return numerals.score(row.value, row.low, row.high, share=line.share) if row else numerals.MISSING


def _difference(line: Line, pair: int) -> tuple[str, str]:
    row = line.differences[pair] if line.differences else None
    if row is None:
        return numerals.MISSING, numerals.MISSING
    shown = numerals.difference(row.difference, row.low, row.high, share=line.share)
    return shown, numerals.p_value(row.p_value).removeprefix("= ")


def _unparsed(line: Line, results: TaskResults, models: Sequence[str]) -> str:
    rows = [row for model in models if (row := _row_of(line, results, model))]
    counts = ", ".join(f"{row.model} {row.num_unparsed} of {row.n}" for row in rows)
    return f"written answers that could not be read: {counts}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned, the first column to the left and figures to the right, with a rule below the head."""
    cut = [[cell[:_NAME_WIDTH] for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cut, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cut
    ]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def _verdict(row: ComparisonRow | None, results: TaskResults, confidence: float) -> str:
    if row is None:
        return phrase("no_comparison")[0]
    return phrase(
        f"verdict.{outcome(row, confidence)}",
        a=row.a,
        b=row.b,
        metric=metric_words(row.metric, results.kind)[0],
        difference=numerals.difference(row.difference, row.low, row.high, share=results.is_share(row)),
        p=f"p {numerals.p_value(row.p_value)}",
    )[0]
