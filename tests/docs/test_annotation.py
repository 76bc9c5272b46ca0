"""The Python that docs/annotation.md shows runs as it stands."""

import re
from pathlib import Path

from instructglm.annotation.store import open_store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.projects import create_project

PAGE = Path(__file__).resolve().parents[2] / "docs" / "annotation.md"


def test_the_example_runs(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store("annotations.db", create=True) as store:
        import_records(store, create_project(store, "law"), [("1", {"instruction": "Is this lawful?"})])
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(example, {})
    assert capsys.readouterr().out.startswith("submission=1 revision=1")
