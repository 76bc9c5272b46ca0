"""The commands that the documents show exist, and the files that they ship are right."""

import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from instructglm.cli.main import app
from instructglm.config.loading import load_experiment

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
BLOCK = re.compile(r"^```(?:bash|sh|console)?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(program: str) -> list[list[str]]:
    """Every command line of `program` in the README's code blocks, comments taken off."""
    blocks = BLOCK.findall(README.read_text(encoding="utf-8"))
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    words = (shlex.split(line.removeprefix("$ "), comments=True) for line in lines if program in line)
    return [found for found in words if found and Path(found[0]).name == program]


def parse(arguments: list[str]) -> None:
    """Parse a command line as the program would, and run nothing."""
    command: Any = get_command(app)
    context = None
    while hasattr(command, "commands"):
        name, *arguments = arguments
        assert name in command.commands, f"no such command: {name}"
        command = command.commands[name]
    if not {"-h", "--help"} & set(arguments):
        context = command.make_context(command.name, list(arguments))
    assert context is None or context.params is not None


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_two_commands_stand_first() -> None:
    shown = [words[1] for words in commands("make")]
    assert shown[:2] == ["quickstart", "test"]
    assert set(shown) <= make_targets()


def test_every_command_shown_can_be_parsed() -> None:
    shown = commands("instructglm")
    assert shown
    for words in shown:
        parse(words[1:])


def test_a_command_that_does_not_exist_would_be_noticed() -> None:
    with pytest.raises(AssertionError, match="no such command: trian"):
        parse(["trian", "x.yaml"])
    with pytest.raises(Exception, match="--ouput"):
        parse(["run", "x.yaml", "--ouput", "y"])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_a_right_experiment(path: Path) -> None:
    assert load_experiment(path).data.sources


def test_the_quickstart_is_an_ordinary_example() -> None:
    assert ROOT / "examples" / "quickstart.yaml" in EXAMPLES
    recipe = (ROOT / "Makefile").read_text().partition("\nquickstart:")[2].splitlines()[1]
    assert recipe.endswith("instructglm run examples/quickstart.yaml --out quickstart")


def test_ci_runs_the_tests_that_everyone_runs() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[-1] == "make test"
