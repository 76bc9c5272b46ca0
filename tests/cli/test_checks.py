"""`data check`: every fault in sight, and the exit code that goes with it."""

import json
from pathlib import Path
from typing import Any

import pytest

GOOD = '{"instruction": "Say hi.", "input": "", "output": ["Hi.", "你好。"]}\n'
BAD = '{"instruction": "Say hi.", "input": "", "output": 3}\n'


@pytest.fixture
def write(tmp_path: Path):
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_sound_files_are_exit_code_0(cli: Any, write: Any) -> None:
    path = write("a.jsonl", GOOD)
    done = cli("data", "check", path)
    assert done.code == 0
    assert done.out.splitlines()[1].split()[1:7] == ["alpaca", "1", "1", "1", "0", "0"]


def test_wrong_rows_are_all_named_and_exit_code_1(cli: Any, write: Any) -> None:
    path = write("a.jsonl", GOOD + BAD + GOOD + BAD)
    done = cli("data", "check", path)
    assert done.code == 1
    assert [line for line in done.out.splitlines() if "expected" in line and f"{path}:" in line] == [
        line
        for line in done.out.splitlines()
        if line.startswith((f"{path}:2: output: found", f"{path}:4: output: found"))
    ]
    assert done.out.count("output: found") == 2


def test_a_file_that_cannot_be_read_is_exit_code_2_and_the_others_are_still_checked(
    cli: Any, write: Any, tmp_path: Path
) -> None:
    path = write("a.jsonl", GOOD)
    done = cli("data", "check", tmp_path / "nope.jsonl", path, write("empty.jsonl", ""))
    assert done.code == 2
    assert f"{tmp_path}/nope.jsonl: no such file" in done.out
    assert f"{tmp_path}/empty.jsonl" in done.out
    assert f"{path}  alpaca" in done.out


def test_an_experiment_file_is_checked_by_its_sources(cli: Any, write: Any) -> None:
    write("a.jsonl", GOOD + BAD)
    experiment = write("experiment.yaml", "name: mood\ndata: {sources: [{path: a.jsonl}]}\n")
    done = cli("data", "check", experiment, "--json")
    assert done.code == 1
    assert json.loads(done.out)["files"][0]["faults"][0]["row"] == "a.jsonl:2"


@pytest.mark.parametrize(
    ("format", "message"), [("alpacca", "Did you mean 'alpaca'?"), ("ratings", "needs more settings")]
)
def test_a_format_that_cannot_be_meant_is_refused(cli: Any, write: Any, format: str, message: str) -> None:
    done = cli("data", "check", write("a.jsonl", GOOD), "--format", format)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_real_files_are_read_without_an_error(cli: Any, shared_data: Path) -> None:
    done = cli("data", "check", shared_data / "instructions" / "belle_zh_seed_tasks.json", "--json")
    assert done.code in (0, 1)
    assert json.loads(done.out)["files"][0]["num_examples"] > 100
