"""The results as plain text for a terminal, a log or an issue."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterable

from instructglm.core.records import ComparisonRow, MetricRow
from instructglm.report import numerals
from instructglm.report.contents import Report
from instructglm.report.results import Line, TaskResults, outcome, task_results
from instructglm.report.words import metric_words, phrase

_WIDTH = 100


def summary_table(report: Report) -> str:
    """The main figures of every task, with intervals, paired differences and the verdict in words.

    Lines of at most 100 columns, without colours, in a form that Markdown also reads as a table.
    """
    head = f"{report.title} ({report.confidence * 100:g} % intervals; differences in points, paired item by item)"
    blocks = [textwrap.fill(head, _WIDTH)]
    for results in task_results(report):
        blocks += [_task_block(results, pair, report.confidence) for pair in range(max(1, len(results.pairs)))]
    return "\n\n".join(blocks).replace("−", "-").replace(numerals.MISSING, "-") + "\n"


def _task_block(results: TaskResults, pair: int, confidence: float) -> str:
    """One task and one pair of models: a title, a table, a verdict."""
    a, b = results.pairs[pair] if results.pairs else (*results.models, "", "")[:2]
    columns = [results.models.index(name) if name in results.models else None for name in (a, b)]
    rows = [_cells(line, columns, pair) for line in results.main]
    title = f"{results.task} ({results.num_items} test items)"
    table = _grid(["metric", a, b, f"{b} minus {a}", "p"], rows)
    row = next((line.differences[pair] for line in results.main if results.pairs and line.differences[pair]), None)
    return "\n".join([title, table, *_verdict(row, results, confidence)])


def _cells(line: Line, columns: Iterable[int | None], pair: int) -> list[str]:
    name = line.metric
    scores = [_score(line.scores[column] if column is not None else None, share=line.share) for column in columns]
    row = line.differences[pair] if line.differences else None
    if row is None:
        return [name, *scores, numerals.MISSING, numerals.MISSING]
    difference = numerals.difference(row.difference, row.low, row.high, share=line.share)
    return [name, *scores, difference, numerals.p_value(row.p_value).removeprefix("= ")]


def _score(row: MetricRow | None, *, share: bool) -> str:
    if row is None:
        return numerals.MISSING
    unparsed = f" ({row.num_unparsed} unparsed)" if row.num_unparsed else ""
    return numerals.score(row.value, row.low, row.high, share=share) + unparsed


def _grid(head: list[str], rows: list[list[str]]) -> str:
    """Aligned columns, by the width characters take on a screen."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.MARKDOWN, pad_edge=False, padding=(0, 1, 0, 0))
    for index, name in enumerate(head):
        table.add_column(Text(name), justify="right" if index else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    out = io.StringIO()
    Console(file=out, width=_WIDTH, color_system=None, force_terminal=False, legacy_windows=False).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().strip("\n").splitlines())


def _verdict(row: ComparisonRow | None, results: TaskResults, confidence: float) -> list[str]:
    if row is None:
        return [phrase("no_comparison")[0]]
    sentence = phrase(
        f"verdict.{outcome(row, confidence)}", a=row.a, b=row.b, metric=metric_words(row.metric, results.kind)[0],
        difference=numerals.difference(row.difference, row.low, row.high, share=results.is_share(row)),
        p=f"p {numerals.p_value(row.p_value)}",
    )[0]
    return textwrap.wrap("=> " + sentence, _WIDTH, subsequent_indent="   ")
