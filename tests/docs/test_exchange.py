"""docs/exchange.md: its example is read whole, and every format is listed with what it really holds."""

import json
import re
from pathlib import Path

from exchanged import content, sent, taken

from instructglm.annotation.exchange import FORMATS
from instructglm.annotation.exchange.csv_table import COLUMNS
from instructglm.annotation.exchange.entries import Said
from instructglm.annotation.store import open_store
from instructglm.annotation.store.projects import create_project

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "exchange.md").read_text(encoding="utf-8")


def test_the_example_is_read_whole_and_written_back_as_it_stands(tmp_path) -> None:
    (example,) = re.findall(r"^```jsonl\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "law.jsonl").write_text(example, encoding="utf-8")
    with open_store(tmp_path / "a.db", create=True) as store:
        project = create_project(store, "law")
        done = taken(store, project, tmp_path / "law.jsonl")
        assert (done.num_instructions, done.num_answers, done.leftovers, done.notes) == (2, 2, (), ())
        said = [answer.said for entry in content(store, project) for answer in entry.answers]
        given = {name for one in said for name in Said.model_fields if getattr(one, name) not in (None, ())}
        assert given == set(Said.model_fields) - {"written"}
        sent(store, project, tmp_path / "again.jsonl", "own", names=True)
        first, second = (
            (tmp_path / name).read_text(encoding="utf-8").splitlines() for name in ("law.jsonl", "again.jsonl")
        )
        assert [json.loads(line) for line in second[:2]] == [json.loads(line) for line in first[:2]]


def test_every_format_has_a_section_and_a_row() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)[: len(FORMATS)] == [*FORMATS]
    assert re.findall(r"^## (\w+)$", PAGE, re.MULTILINE) == [*FORMATS]


def test_the_columns_of_the_table_are_told() -> None:
    section = PAGE.split("\n## csv\n")[1].split("\n## ")[0]
    assert [name for name in COLUMNS[COLUMNS.index("output") :] if f"`{name}`" not in section] == []
