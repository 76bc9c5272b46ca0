"""docs/agreement.md tells every coefficient and model, lists every paper that it cites, and its example runs."""

import re
from pathlib import Path

from instructglm.annotation import agreement
from instructglm.annotation.aggregation import MODELS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "agreement.md").read_text(encoding="utf-8")
TEXT, PAPERS = PAGE.split("\n## Papers\n")


def test_every_coefficient_and_model_is_told() -> None:
    coefficients = {"percent", "alpha", "cohen_kappa", "scott_pi", "fleiss_kappa", "gwet_ac"}
    parts = set(agreement.ProjectAgreement.model_fields) & {"with_others", "pairs", "with_self", "confusions"}
    assert len(parts) == 4
    assert [name for name in sorted({*coefficients, *parts, *MODELS}) if f"`{name}`" not in TEXT] == []


def test_every_paper_that_is_cited_is_listed() -> None:
    cited = re.findall(r"\b([A-Z]\w+)(?: et al\.| and \w+)?, (\d{4})\b", TEXT)
    assert len(cited) >= 10
    lines = re.split(r"\n- ", PAPERS)
    assert [(name, year) for name, year in cited if not any(name in line and year in line for line in lines)] == []


def test_the_example_runs(capsys) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    rows = [(f"item{i}", who, "AB"[(i + shift) % 2]) for i in range(20) for shift, who in enumerate("xy")]
    items, people, labels = (list(column) for column in zip(*rows, strict=True))
    given = {"items": items, "people": people, "labels": labels}
    given |= {"domains": ["law"] * 40, "rounds": [1] * 40, "seconds": list(range(40))}
    exec(compile(example, "docs/agreement.md", "exec"), given)
    assert "domain law: alpha -0.95 over 20 items: below 0.667" in capsys.readouterr().out
    assert given["answers"].model == "shrunken_dawid_skene"
