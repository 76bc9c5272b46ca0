"""The commands that the documents show exist, their experiments are right, and their links lead somewhere."""

import os
import re
import shlex
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from instructglm.cli.main import app
from instructglm.config.loading import load_experiment

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DOCUMENTS = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELL = {"", "bash", "sh", "console"}
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)#]+)(?:#[^)]*)?\)")  # but no pictures
every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def commands(program: str, document: Path) -> list[list[str]]:
    """Every command line of `program` in a document's code blocks, comments taken off."""
    blocks = (block for language, block in BLOCK.findall(document.read_text(encoding="utf-8")) if language in SHELL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    words = (shlex.split(line.removeprefix("$ "), comments=True) for line in lines if program in line)
    ours = (list(takewhile(lambda word: word not in {">", "|"}, found)) for found in words)
    return [found for found in ours if found and Path(found[0]).name == program]


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
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("readme", [README, ROOT / "docs" / "README.zh.md"], ids=lambda path: path.name)
def test_the_two_commands_stand_first(readme: Path) -> None:
    first_block = BLOCK.search(readme.read_text(encoding="utf-8"))
    assert first_block is not None
    assert [line.split("#")[0].strip() for line in first_block[2].splitlines()] == ["make quickstart", "make test"]


@every_document
def test_every_command_shown_can_be_parsed(document: Path) -> None:
    for words in commands("instructglm", document):
        parse(words[1:])
    assert {words[1] for words in commands("make", document)} <= make_targets()


@pytest.mark.parametrize("name", ["README.md", "docs/README.zh.md", "docs/tutorial.md"])
def test_commands_are_found_where_they_are_shown(name: str) -> None:
    assert len(commands("instructglm", ROOT / name)) >= 5


@every_document
def test_every_experiment_shown_is_right(document: Path, tmp_path: Path) -> None:
    blocks = BLOCK.findall(document.read_text(encoding="utf-8"))
    for block in (block for language, block in blocks if language == "yaml" and block.startswith("name:")):
        shown = tmp_path / "experiment.yaml"
        shown.write_text(block, encoding="utf-8")
        assert load_experiment(shown).data.sources


@every_document
def test_every_link_inside_the_repository_leads_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text(encoding="utf-8"))
    inside = [link for link in links if not re.match(r"\w+:", link)]
    assert [link for link in inside if not (document.parent / link).exists()] == []


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
    assert script.read_text().splitlines()[-2:] == ["make test", "make test-oldest"]
