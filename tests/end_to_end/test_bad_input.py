"""What a user may give by mistake: each ends in a message with the place and the next move, and loses nothing."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys

import pytest

ROW = '{"instruction": "问题？", "output": "答案。"}\n'
ROWS = ROW.replace("？", " 1？") + ROW.replace("？", " 2？")
BIG = json.dumps({"instruction": "x" * 50_000_000, "output": "y"}) + "\n"
BAD_FILES = {
    "empty": (b"", "rows.jsonl: the file is empty; expected rows"),
    "GBK": (ROWS.encode("gbk"), "rows.jsonl:1: byte"),
    "UTF-16 without a mark": (ROWS.encode("utf-16-le"), "iconv -f UTF-16LE -t UTF-8"),
    "truncated": (ROWS.encode()[:-9], "rows.jsonl:2: line: found JSON that breaks off"),
    "truncated array": (json.dumps([json.loads(ROW)] * 2).encode()[:-9], "the array breaks off here"),
    "a line of 50 MB": (ROWS.encode() + BIG.encode(), "rows.jsonl:3: line: found 47.7 MiB"),
    "nulls": (ROWS.encode() + b'{"instruction": null, "output": null}', "rows.jsonl:3: instruction: found null"),
    "numbers": (ROWS.encode() + b'{"instruction": 5, "output": 7}', "rows.jsonl:3: output: found the number 7"),
    "unknown keys": (ROWS.replace("output", "respnse").encode(), "rows.jsonl"),
}
GOOD_FILES = {
    "UTF-16": ROWS.encode("utf-16"),
    "UTF-8 with a mark": ROWS.encode("utf-8-sig"),
    "an array in .jsonl": json.dumps([json.loads(row) for row in ROWS.splitlines()]).encode(),
    "more keys": ROWS.replace("}", ', "source": "x"}').encode(),
    "control characters": ROWS.replace("问题", "\\u0007\\u202e<|im_end|> 问题").encode(),
}


def limited(kilobytes: int):
    """Let no file grow further: what a full disk is to a writer."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, kilobytes * 1024))


# Data


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_named_with_its_place_and_mended_the_command_works(project, refused, name) -> None:
    mood = project()
    whole = mood.data.read_bytes()
    content, message = BAD_FILES[name]
    mood.data.write_bytes(content)
    refused(mood.run("data", "build"), message)
    assert not list((mood.out / "datasets").glob("[!.]*"))
    assert not mood.half_written()
    mood.data.write_bytes(whole)
    assert mood.run("data", "build").returncode == 0


@pytest.mark.parametrize("name", GOOD_FILES)
def test_an_unusual_file_is_read(project, name) -> None:
    mood = project()
    mood.data.write_bytes(GOOD_FILES[name])
    done = mood.run("data", "build", "data.split.test=0", "data.split.validation=0")
    assert done.returncode == 0, done.stderr
    assert "dataset: 2 train" in done.stderr


def test_missing_data_and_a_folder_in_the_place_of_a_file(project, refused) -> None:
    mood = project()
    refused(mood.run("data", "build", "data.sources.0.path=row.jsonl"), "row.jsonl: no such file", "rows.jsonl")
    refused(mood.run("data", "build", "data.sources.0.path=."), str(mood.folder))


def test_a_label_that_is_no_choice_and_a_task_name_with_a_slash(project, refused) -> None:
    mood = project()
    refused(
        mood.run("data", "build", "data.sources.0.choices=[good, fine]"),
        'output: found the answer "bad"; expected one of the choices good, fine',
    )
    refused(mood.run("data", "build", "data.sources.0.task=a/b"), "data.sources[0].task")


def test_labels_in_any_script_in_a_folder_of_any_name_from_anywhere(project, tmp_path) -> None:
    mood = project("我的 实验")
    mood.write_rows(["ＹＥＳ", "😀", "no"])
    clean = {key: value for key, value in os.environ.items() if key != "HOME"}
    done = mood.run("data", "stats", "--json", cwd="/", env=clean | {"LC_ALL": "C", "COLUMNS": "40"})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["num_examples"]["train"] > 0


# Disk and folders


def test_a_full_disk_leaves_what_was_finished(project, refused) -> None:
    mood = project()
    assert mood.run("data", "build").returncode == 0
    before = {path: path.read_bytes() for path in mood.out.rglob("*") if path.is_file()}
    mood.write_rows(["good", "bad"], 64)
    refused(mood.run("data", "build", preexec_fn=limited(2)), "train.parquet: cannot write", "choose another folder")
    assert {path: path.read_bytes() for path in before} == before
    assert not mood.half_written()
    assert mood.run("data", "build").returncode == 0


@pytest.mark.slow
def test_a_full_disk_in_training_and_in_the_report(project, refused) -> None:
    mood = project()
    short = ("training.max_steps=4", "training.eval_steps=2")
    refused(mood.run("run", *short, preexec_fn=limited(48)), "checkpoints", "File too large")
    assert not mood.half_written()
    assert mood.run("evaluate", *short).returncode == 0
    refused(mood.run("report", *short, preexec_fn=limited(8)), "report", "cannot write: File too large")
    assert not mood.half_written()
    done = mood.run("run", *short)
    assert done.returncode == 0, done.stderr
    assert "runs/" in done.stderr
    assert (mood.out / "report" / "index.html").exists()


@pytest.mark.parametrize("out", ["rows.jsonl", "rows.jsonl/out", "x" * 300])
def test_an_output_folder_that_cannot_be(project, refused, out) -> None:
    mood = project()
    mood.out = mood.folder / out
    refused(mood.run("data", "build"), "cannot write", "--out")


def test_an_output_folder_of_somebody_else(project, refused) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    mood = project()
    mood.out.mkdir(mode=0o500)
    refused(mood.run("data", "build"), "Permission denied", "--out")


def test_a_read_only_data_folder_is_enough(project, tmp_path) -> None:
    mood = project()
    mood.out = tmp_path / "elsewhere"
    mood.data.chmod(0o400)
    mood.folder.chmod(0o500)
    try:
        assert mood.run("data", "build").returncode == 0
    finally:
        mood.folder.chmod(0o700)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_nothing(project, closed) -> None:
    mood = project()
    command = f'"$0" -m instructglm.cli.main data build "$1" --out "$2" {closed}'
    words = ["bash", "-c", command, sys.executable, str(mood.experiment), str(mood.out)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert len(list(mood.out.glob("datasets/mood-*/train.parquet"))) == 1


# Models, training and evaluation


@pytest.mark.slow
def test_what_cannot_be_evaluated_is_told_before_training(project, refused) -> None:
    mood = project()
    refused(mood.run("run", "data.split.test=0"), "no example is left to test on", "Raise data.split.test")
    missing = "evaluation.models=[base, tuned, {name: other, name_or_path: ./no/such/model}]"
    refused(mood.run("run", missing), "./no/such/model: no such folder", "a hub id, a local folder, `embedded`")
    assert not (mood.out / "runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "estimate"])
def test_a_prefix_longer_than_the_window_is_told_before_anything_is_read(project, refused, command) -> None:
    mood = project()
    mood.data.unlink()
    long = "tuning={method: prefix, num_virtual_tokens: 512}"
    refused(mood.run(command, long), "tuning.num_virtual_tokens is 512", "this model reads 512 tokens")
    assert not (mood.out / "datasets").exists()


@pytest.mark.slow
def test_damaged_artifacts_are_named_and_their_removal_is_enough(project, refused) -> None:
    mood = project()
    short = ("run", "training.max_steps=2")
    assert mood.run(*short).returncode == 0
    (scores,) = mood.out.rglob("scores.json")
    (adapter,) = mood.out.rglob("adapter_model.safetensors")
    scores.write_bytes(scores.read_bytes()[:99])
    refused(mood.run(*short), f"{scores}: damaged", "Remove this file")
    shutil.rmtree(scores.parents[2])  # the predictions too: else no model is needed
    adapter.write_bytes(adapter.read_bytes()[:99])
    refused(mood.run(*short), f"{adapter.parent}: damaged, or made for another model", "Remove the run's folder")
    shutil.rmtree(adapter.parent.parent)
    assert mood.run(*short).returncode == 0
