"""docs/walkthrough.md runs as it stands, command by command, with a tiny model in the place of the embedded one."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "walkthrough.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?:`([\w.]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps(folder: Path, model: Path) -> Iterator[str]:
    """The commands of the page in their order; files that it shows stand by then."""
    for name, language, content in BLOCK.findall(PAGE):
        if language == "bash":
            yield from content.splitlines()
        else:
            (folder / name).write_text(content.replace("embedded", str(model)), encoding="utf-8")


@pytest.mark.slow
def test_it_runs_from_an_instruction_to_a_report(tiny_model: Path, tmp_path: Path) -> None:
    programs = {"python": [sys.executable], "instructglm": [sys.executable, "-m", "instructglm.cli.main"]}
    said: dict[str, str] = {}
    for command in steps(tmp_path, tiny_model):
        program, *arguments = shlex.split(command)
        done = subprocess.run(
            [*programs[program], *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        said[command] = done.stdout
    (folder,) = tmp_path.glob("snapshots/school-*")
    frozen = said["instructglm annotate snapshot school"]
    assert "of 40 instructions with" in frozen.splitlines()[0]
    assert "ratings by quality" in frozen
    assert f"path: snapshots/{folder.name}/examples.jsonl" in frozen
    page = (tmp_path / "runs" / "school" / "report" / "index.html").read_text(encoding="utf-8")
    assert folder.name in page
    assert "annotations of school, frozen after event" in page
    assert "every link holds" in said["instructglm annotate verify"]
    assert said["python review.py"] == said["python annotate.py"] == ""
    card = (folder / "card.md").read_text(encoding="utf-8")
    assert "| instructions a reviewer decided | 0 |" not in card
