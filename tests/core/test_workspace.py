"""Which artifacts belong together, and who may make them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from instructglm.core.errors import RunError, StorageError
from instructglm.core.workspace import Latest, Workspace, exclusive

HOLD = "import sys; from pathlib import Path; from instructglm.core.workspace import exclusive\n"
HOLD += "with exclusive(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"


def test_notes_are_added_to_what_is_known(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    space.note("dataset", space.dataset("mood", "abc"))
    space.note("run", space.run("mood", "def"))
    assert space.read_latest() == Latest(dataset="datasets/mood-abc", run="runs/mood-def")


def test_what_was_made_from_older_data_is_no_longer_the_latest(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    for kind in ("dataset", "run", "evaluation"):
        space.note(kind, tmp_path / kind / "first")
    space.note("run", tmp_path / "run" / "first")  # the same again changes nothing
    assert space.read_latest() == Latest(dataset="dataset/first", run="run/first", evaluation="evaluation/first")
    space.note("dataset", tmp_path / "dataset" / "second")
    assert space.read_latest() == Latest(dataset="dataset/second")


def test_nothing_there_is_told_apart_from_a_damaged_note(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no finished run here"):
        Workspace(tmp_path).read_latest()
    (tmp_path / "latest.json").write_text('{"dataset": "a')
    with pytest.raises(StorageError, match=r"latest.json: damaged: Invalid JSON.*\n.*run it once more"):
        Workspace(tmp_path).read_latest()
    Workspace(tmp_path).note("dataset", tmp_path / "b")
    assert Workspace(tmp_path).read_latest().dataset == "b"


def test_one_process_at_a_time_and_none_after_it_was_killed(tmp_path: Path) -> None:
    place = tmp_path / "runs" / "mood-abc"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "held\n"
    with pytest.raises(RunError, match="another process is at work here"), exclusive(place):
        pass
    with exclusive(place.with_name("mood-other")):
        assert not place.exists()
    other.kill()
    other.communicate()
    with exclusive(place):
        assert not place.exists()
