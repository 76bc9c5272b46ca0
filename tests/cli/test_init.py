"""A project to start from, that really runs."""

import json
from pathlib import Path
from typing import Any

import yaml

from instructglm.config.keys import all_keys
from instructglm.config.loading import load_experiment


def test_what_init_writes_can_be_loaded_and_checked(cli: Any, tmp_path: Path) -> None:
    done = cli("init", tmp_path / "new")
    experiment = tmp_path / "new" / "experiment.yaml"
    assert done.code == 0
    assert done.out.splitlines()[-1] == f"Next: instructglm run {experiment}"
    assert load_experiment(experiment).model.name_or_path == "embedded"
    checked = json.loads(cli("data", "check", experiment, "--json").out)
    (file,) = checked["files"]
    assert (file["error"], file["faults"], file["empty_rows"]) == (None, [], [])
    assert file["num_with_several_outputs"] == file["num_examples"] >= 30
    assert 0.1 < file["cjk_share"] < 0.9


def test_its_splits_are_all_filled(cli: Any, tmp_path: Path) -> None:
    cli("init", tmp_path)
    done = cli("data", "stats", tmp_path / "experiment.yaml", "--out", tmp_path / "out", "--json")
    assert done.code == 0
    assert min(json.loads(done.out)["num_examples"].values()) >= 3


def test_init_never_replaces_a_file_unasked(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "experiment.yaml").write_text("mine")
    done = cli("init", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert f"{tmp_path}/experiment.yaml: already there" in done.err
    assert "--force" in done.err
    assert (tmp_path / "experiment.yaml").read_text() == "mine"
    assert not (tmp_path / "data").exists()
    assert cli("init", tmp_path, "--force").code == 0
    assert load_experiment(tmp_path / "experiment.yaml").name == "first-steps"


def test_a_place_that_cannot_be_written_is_named(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = cli("init", tmp_path / "file")
    assert done.code == 2
    assert "cannot write" in done.err


def test_the_commented_file_shows_only_keys_that_exist(cli: Any, tmp_path: Path) -> None:
    cli("init", tmp_path)
    shown = yaml.safe_load((tmp_path / "experiment.yaml").read_text(encoding="utf-8"))
    sections = {key for key in shown if isinstance(shown[key], dict)}
    assert {f"{section}.{key}" for section in sections for key in shown[section]} <= set(all_keys())
