"""The short results table at the end of a run."""

from __future__ import annotations

from pathlib import Path

from instructglm.cli.arguments import print_json


def show_report(page: Path, as_json: bool) -> None:
    """Print what the report beside `page` found, and where it stands."""
    from instructglm.report.console import summary_table
    from instructglm.report.files import read_report

    report = read_report(page.parent)
    if as_json:
        found = report.model_dump(mode="json", include={"metrics", "comparisons"})
        print_json({"report": str(page), **found})
        return
    print(summary_table(report), "", *report.headline, "", f"Report: {page}", sep="\n")
