"""What `make` installs: pinned, plain, and the same everywhere."""

import os
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PINS = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
PIN = re.compile(r"[a-z0-9-]+==[0-9][0-9a-z.]*")


def pinned() -> dict[str, str]:
    return dict(pin.split("==") for pin in PINS)


def test_every_line_is_a_plain_pin_in_order() -> None:
    assert [pin for pin in PINS if not PIN.fullmatch(pin)] == []
    assert sorted(PINS) == PINS
    assert len(pinned()) == len(PINS)


def test_nothing_is_tied_to_one_platform() -> None:
    assert [name for name in pinned() if name.startswith(("nvidia", "triton", "cuda"))] == []


def test_every_requirement_of_ours_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    names = {re.split(r"[<>=\[ ]", line)[0].lower().replace("_", "-") for line in wanted}
    assert names <= set(pinned())


def test_the_tests_run_on_the_pinned_versions() -> None:
    def installed(name: str) -> str | None:
        try:
            return version(name).partition("+")[0]
        except PackageNotFoundError:  # an extra that this environment does without
            return None

    found = {name: installed(name) for name in ("torch", "transformers", "peft", "numpy", "pydantic", "typer")}
    assert found == {name: pinned()[name] for name in found}


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    # `make test` runs this: what it tells the makes below it would be in their output.
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    }
    return subprocess.run(["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_help_lists_every_target() -> None:
    done = make("help")
    assert done.returncode == 0
    assert {line.split()[1] for line in done.stdout.splitlines()} == {
        "help", "install", "quickstart", "test", "test-oldest", "check", "clean",
    }  # fmt: skip


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_a_python_that_is_too_old_or_missing_is_told_with_the_next_move(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    for python in (str(old), "no-such-python"):
        done = subprocess.run(
            ["make", "install", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert f"Tried: {python}. None is Python 3.11 or newer." in done.stderr
        assert "make install PYTHON=" in done.stderr
    assert not (tmp_path / ".venv").exists()
