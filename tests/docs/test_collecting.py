"""What docs/collecting.md shows runs as it stands, and its commands exist."""

import re
from pathlib import Path

from typer.main import get_command

from instructglm.annotation.store import open_store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.projects import create_project
from instructglm.cli.annotate import app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "collecting.md"


def blocks(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return found


def test_the_example_runs(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store("annotations.db", create=True) as store:
        import_records(store, create_project(store, "law"), [("1", {"instruction": "Is this lawful?"})])
    exec(blocks("python"), {})
    assert capsys.readouterr().out == "1 1.0 Is this lawful?\n"


def test_every_command_and_option_that_is_named_exists() -> None:
    commands = get_command(app).commands
    for line in blocks("bash").splitlines():
        words = line.split()
        options = {option for one in commands[words[2]].params for option in one.opts}
        assert {word for word in words if word.startswith("-")} <= options
