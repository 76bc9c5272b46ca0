"""A frozen snapshot as a source: told by what it was taken of, refused where it was changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.claim import next_task
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.queue.save import save
from instructglm.annotation.snapshot.freeze import freeze
from instructglm.annotation.store import open_store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import create_project
from instructglm.annotation.store.tables import Role
from instructglm.config.data import RowSource
from instructglm.core.errors import DataError
from instructglm.data.sources import read_source


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with open_store(str(tmp_path / "annotations.db"), create=True) as store:
        project = create_project(store, "law")
        import_records(store, project, [("1", {"instruction": "Is it?", "choices": ["yes", "no"], "domain": "law"})])
        open_round(store, project)
        ann = add_person(store, "Ann", Role.ANNOTATOR)
        task = next_task(store, project, ann)
        save(store, ann, task.assignment, Answer(label="yes"), key="a")
        return freeze(store, project, out=tmp_path / "snapshots").folder


def read(folder: Path, path: Path, format: str = "snapshot"):
    return read_source(RowSource(path=str(path), format=format), folder)


@pytest.mark.parametrize("format", ["snapshot", "auto"])
def test_it_is_read_whole_and_says_what_it_was_taken_of(folder, format) -> None:
    reading = read(folder, folder / "examples.jsonl", format)
    (example,), (file,) = reading.examples, reading.files
    assert (example.task, example.choices, example.references) == ("law", ("yes", "no"), ("yes",))
    assert example.metadata["domain"] == "law"
    assert file.format == "snapshot"
    assert file.origin.startswith("annotations of law, frozen after event 5:")


def test_a_changed_file_is_refused_and_a_copy_of_it_is_a_file_like_any_other(folder, tmp_path) -> None:
    examples = folder / "examples.jsonl"
    examples.write_text(examples.read_text().replace('"weight":1.0', '"weight":2.0'))
    with pytest.raises(DataError, match=r"examples\.jsonl: was changed after it was frozen: found SHA-256") as caught:
        read(folder, examples)
    assert "copy the file to a folder of its own" in str(caught.value)
    copy = tmp_path / "mine" / "examples.jsonl"
    copy.parent.mkdir()
    shutil.copy(examples, copy)
    reading = read(folder, copy)
    assert (reading.examples[0].outputs[0].weight, reading.files[0].origin) == (2.0, "")


@pytest.mark.parametrize("damage", ["{", "[]", '{"snapshot_format": 2}'])
def test_a_damaged_manifest_is_named(folder, damage) -> None:
    (folder / "manifest.json").write_text(damage)
    with pytest.raises(DataError, match=r"manifest\.json beside it cannot be read"):
        read(folder, folder / "examples.jsonl")


def test_a_missing_snapshot_is_named(folder) -> None:
    with pytest.raises(DataError, match="no such file"):
        read(folder, folder / "exmples.jsonl")


def test_a_manifest_of_another_kind_is_not_looked_at(folder, tmp_path) -> None:
    other = tmp_path / "other" / "rows.jsonl"
    other.parent.mkdir()
    shutil.copy(folder / "examples.jsonl", other)
    (other.parent / "manifest.json").write_text(json.dumps({"name": "a dataset"}))
    assert read(folder, other).examples
