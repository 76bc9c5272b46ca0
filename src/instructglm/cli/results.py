"""The short results table at the end of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from instructglm.cli.arguments import print_json
from instructglm.cli.tables import table


def show_report(page: Path, as_json: bool) -> None:
    """Print what the report beside `page` found, and where it stands."""
    report = json.loads((page.parent / "report.json").read_text(encoding="utf-8"))
    if as_json:
        print_json({"report": str(page), "metrics": report["metrics"], "comparisons": report["comparisons"]})
        return
    print(_comparisons(report) if report["comparisons"] else _metrics(report))
    print("", *report["headline"], "", f"Report: {page}", sep="\n")


def _comparisons(report: Mapping[str, Any]) -> str:
    values = {(row["task"], row["metric"], row["model"]): row for row in report["metrics"]}
    header = ["task", "metric", "n", "a", "b", "b minus a", "p"]
    rows = [
        [
            row["task"],
            row["metric"],
            row["n"],
            *(_figure(values, row, row[side]) for side in "ab"),
            _difference(row),
            _p(row),
        ]
        for row in report["comparisons"]
    ]
    return table(header, rows)


def _figure(values: Mapping[tuple[str, str, str], Mapping[str, Any]], row: Mapping[str, Any], model: str) -> str:
    found = values.get((row["task"], row["metric"], model))
    return f"{model} {found['value']:.3f}" if found else f"{model} -"


def _difference(row: Mapping[str, Any]) -> str:
    return f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"


def _p(row: Mapping[str, Any]) -> str:
    return "< 0.001" if row["p_value"] < 0.001 else f"{row['p_value']:.3f}"


def _metrics(report: Mapping[str, Any]) -> str:
    rows: Sequence[Sequence[object]] = [
        [
            row["task"],
            row["model"],
            row["metric"],
            row["n"],
            f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]",
        ]
        for row in report["metrics"]
        if "[" not in row["metric"]  # the figures of single answers are in the report
    ]
    return table(["task", "model", "metric", "n", "value"], rows)
