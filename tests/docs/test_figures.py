"""docs/figures.md tells every metric that a report may hold, and lists every paper that it cites."""

import re
from pathlib import Path

from instructglm.evaluation.verdict import DEFINITIONS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "figures.md").read_text(encoding="utf-8")
TEXT, PAPERS = PAGE.split("\n## Papers\n")
GENERATED_ALIKE = {"generated_macro_precision", "generated_macro_recall", "generated_macro_f1", "generated_accuracy"}


def test_every_metric_is_told() -> None:
    metrics = {name.replace("[class]", "[c]") for name in DEFINITIONS} - GENERATED_ALIKE
    assert [name for name in sorted(metrics) if f"`{name}`" not in TEXT] == []
    assert "`generated_`" in TEXT


def test_every_paper_that_is_cited_is_listed() -> None:
    cited = re.findall(r"\b([A-Z]\w+)(?: et al\.| and \w+)?, (\d{4})\b", TEXT)
    assert len(cited) >= 10
    unlisted = [
        f"{name}, {year}"
        for name, year in cited
        if not any(name in line and year in line for line in re.split(r"\n- ", PAPERS))
    ]
    assert unlisted == []
