"""From sources to a dataset: every row that is read is accounted for, and equal inputs give equal bytes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instructglm.config.data import DataSettings
from instructglm.config.experiment import Experiment
from instructglm.core.errors import DataError
from instructglm.core.progress import SilentProgress
from instructglm.core.records import Split
from instructglm.data.build import Built, build, dataset_hash, make_manifest
from instructglm.data.dataset import read_examples, read_manifest
from instructglm.pipeline import build as build_folder

HALF = {"validation": 0.25, "test": 0.25}
NONE = {"validation": 0.0, "test": 0.0}


def write(path: Path, rows: list[Any]) -> None:
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")


def settings_for(*sources: dict[str, Any] | str, **others: Any) -> DataSettings:
    listed = [{"path": source} if isinstance(source, str) else source for source in sources]
    return DataSettings.model_validate({"sources": listed} | others)


def kept(built: Built) -> list[Any]:
    return [example for examples in built.splits.values() for example in examples]


# --- the account ---------------------------------------------------------------------------------------------------
PROMPTS = st.integers(0, 12).map("question {}".format)
ANSWERS = st.sampled_from(["yes", "no", " yes ", "是", ""])
ROWS = st.fixed_dictionaries({"instruction": PROMPTS | st.sampled_from(["", "\u200b"]), "output": ANSWERS})
BROKEN = st.sampled_from([{"instruction": 3, "output": "a"}, {"instruction": "q", "output": None}, {"output": "b"}])
SOUND = [{"instruction": f"sound {n}", "output": "yes"} for n in range(8)]  # some fall into the training split
FILE = st.lists(ROWS | BROKEN, min_size=1, max_size=25).map(lambda rows: [*SOUND, *rows])


@given(first=FILE, second=FILE, limit=st.integers(1, 5), by_list=st.booleans(), merge=st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_stands_in_a_split_or_in_the_ledger(tmp_path, first, second, limit, by_list, merge):
    """A row goes on as an example, or gives its output to one of the same prompt, or is named with a reason."""
    for name, rows in (("a.jsonl", first), ("b.jsonl", second)):
        write(tmp_path / name, rows)
    choices = ["yes", "no", "是"] if by_list else "auto"
    built = build(
        settings_for(
            {"path": "a.jsonl", "task": "t", "format": "alpaca", "limit": {"train": limit}, "choices": choices},
            {"path": "b.jsonl", "task": "t", "format": "alpaca"},
            malformed="drop",
            split=HALF,
            transforms=["normalise", "exact_duplicates"] if merge else [],
        ),
        tmp_path,
    )
    examples = {example.row: example for example in kept(built)}
    gathered = {(example.messages[-1].content, text) for example in examples.values() for text in example.references}
    dropped = Counter(entry.row for entry in built.ledger.entries if entry.action == "dropped")
    for name, rows in (("a.jsonl", first), ("b.jsonl", second)):
        for number, row in enumerate(rows, start=1):
            place = f"{name}:{number}"
            merged = (row.get("instruction"), str(row.get("output")).strip()) in gathered
            assert (place in examples) + (place in dropped) == 1 or (merged and place not in dropped), place
    assert max(dropped.values(), default=1) == 1
    assert [file.num_rows for file in built.files] == [len(first), len(second)]
    assert sum(built.ledger.counts().values()) == len(built.ledger)


def test_each_reason_is_named_with_the_row(tmp_path):
    write(
        tmp_path / "a.jsonl",
        [
            {"instruction": "one", "output": "yes"},
            {"instruction": "one ", "output": "yes"},
            {"instruction": "two", "output": ""},
            {"instruction": "three", "output": 3},
            {"instruction": "four", "output": "yes"},
            {"instruction": "four", "output": "no"},
            {"instruction": "five", "output": "perhaps"},
            {"instruction": "\u200b", "output": "no"},
        ],
    )
    source = {"path": "a.jsonl", "choices": ["yes", "no"]}
    built = build(settings_for(source, malformed="drop", split=NONE), tmp_path)
    assert {entry.row.rpartition(":")[2]: entry.reason for entry in built.ledger.entries} == {
        "2": "duplicate",
        "3": "empty",
        "4": "malformed",
        "5": "conflict",
        "6": "conflict",
        "7": "malformed",
        "8": "empty",
    }
    assert [example.row for example in built.splits[Split.TRAIN]] == ["a.jsonl:1"]
    manifest = make_manifest("n", "h", settings_for(source), built)
    assert manifest.num_examples == {"train": 1, "validation": 0, "test": 0}
    assert sum(manifest.ledger_counts.values()) + 1 == manifest.files[0].num_rows == 8
    assert manifest.ledger_rows["conflict"] == ("a.jsonl:5", "a.jsonl:6")


def test_several_outputs_of_one_prompt_are_counted_as_outputs(tmp_path):
    write(tmp_path / "a.jsonl", [{"instruction": "hi", "output": ["a", "b"]}, {"instruction": "hi", "output": "c"}])
    chosen = settings_for("a.jsonl", split=NONE)
    built = build(chosen, tmp_path)
    assert kept(built)[0].references == ("a", "b", "c")
    assert make_manifest("n", "h", chosen, built).num_outputs["train"] == 3


# --- faults --------------------------------------------------------------------------------------------------------
def test_malformed_rows_of_all_files_are_refused_together(tmp_path):
    write(tmp_path / "a.jsonl", [{"instruction": "q", "output": "a"}, {"instruction": "q", "output": 1}])
    write(tmp_path / "b.jsonl", [{"instruction": "q", "output": "a"}, {"instruction": None, "output": "a"}])
    with pytest.raises(DataError) as caught:
        build(settings_for("a.jsonl", "b.jsonl"), tmp_path)
    assert [fault.split(": found")[0] for fault in caught.value.faults] == [
        "a.jsonl:2: output",
        "b.jsonl:2: instruction",
    ]
    assert "2 malformed rows" in caught.value.hint
    assert "data.malformed" in caught.value.hint


def test_a_message_with_very_many_faults_still_counts_them_all(tmp_path):
    write(tmp_path / "a.jsonl", [{"instruction": "q", "output": "a"}, *[{"instruction": "q", "output": 1}] * 120])
    with pytest.raises(DataError) as caught:
        build(settings_for("a.jsonl"), tmp_path)
    assert len(caught.value.faults) == 51
    assert caught.value.faults[-1] == "... and 70 more"
    assert "120 malformed rows" in caught.value.hint


def test_a_label_that_is_no_choice_is_named_with_its_place_and_the_choices(tmp_path):
    rows = [{"text": "fine", "label": "positive"}, {"text": "bad", "label": "negatve"}]
    write(tmp_path / "a.jsonl", rows)
    source = {"path": "a.jsonl", "choices": ["positive", "negative"]}
    with pytest.raises(DataError) as caught:
        build(settings_for(source), tmp_path)
    assert caught.value.faults == (
        'a.jsonl:2: output: found the answer "negatve"; expected one of the choices positive, negative; '
        "nearest: 'negative'",
    )


def test_a_snapshot_is_held_to_its_own_choices(tmp_path):
    write(tmp_path / "a.jsonl", [{"text": "fine", "label": "good"}])
    built = build(settings_for({"path": "a.jsonl", "choices": ["good", "bad"]}, split=NONE), tmp_path)
    (example,) = kept(built)
    wrong = example.model_dump(mode="json") | {"outputs": [{"text": "odd"}]}
    write(tmp_path / "snapshot.jsonl", [wrong])
    with pytest.raises(DataError, match=r'a.jsonl:1: output: found the answer "odd"; expected .* good, bad'):
        build(settings_for("snapshot.jsonl"), tmp_path)


@pytest.mark.parametrize("weight", [0, -1, "NaN"])
def test_an_output_that_nobody_accepts_is_a_fault(tmp_path, weight):
    write(tmp_path / "a.jsonl", [{"instruction": "q", "output": "a"}])
    (example,) = kept(build(settings_for("a.jsonl", split=NONE), tmp_path))
    write(tmp_path / "s.jsonl", [example.model_dump(mode="json") | {"outputs": [{"text": "a", "weight": weight}]}])
    with pytest.raises(DataError, match=r"s.jsonl:1: outputs.0.weight: found .*; expected Input should be"):
        build(settings_for("s.jsonl"), tmp_path)


# --- several sources -----------------------------------------------------------------------------------------------
def test_a_closed_set_is_found_over_all_sources_of_a_task(tmp_path):
    for label in ("good", "bad"):
        write(tmp_path / f"{label}.jsonl", [{"text": f"{label} {n}", "label": label} for n in range(20)])
    sources = [{"path": f"{label}.jsonl", "task": "mood"} for label in ("good", "bad")]
    assert {example.choices for example in kept(build(settings_for(*sources), tmp_path))} == {("bad", "good")}
    sources[1] |= {"choices": "none"}
    assert {example.choices for example in kept(build(settings_for(*sources), tmp_path))} == {()}


def test_each_source_and_split_has_its_own_limit(tmp_path):
    for name in "ab":
        write(tmp_path / f"{name}.jsonl", [{"instruction": f"{name}{n}", "output": "x"} for n in range(80)])
    built = build(
        settings_for(
            {"path": "a.jsonl", "limit": {"train": 5, "test": 2}},
            {"path": "b.jsonl", "limit": {"train": 7}},
            split=HALF,
        ),
        tmp_path,
    )
    counts = {split: Counter(example.task for example in examples) for split, examples in built.splits.items()}
    assert counts[Split.TRAIN] == {"a": 5, "b": 7}
    assert counts[Split.TEST]["a"] == 2
    assert counts[Split.TEST]["b"] > 7
    assert len(kept(built)) + built.ledger.counts()["over_limit"] == 160


def test_one_file_under_two_tasks_keeps_both_limits_and_choices(tmp_path):
    write(tmp_path / "a.jsonl", [{"text": f"{n}", "label": ["yes", "no"][n % 2]} for n in range(40)])
    built = build(
        settings_for(
            {"path": "a.jsonl", "task": "closed", "limit": {"train": 4}},
            {"path": "a.jsonl", "task": "open", "instruction": "Say.", "limit": {"train": 9}, "choices": "none"},
        ),
        tmp_path,
    )
    train = built.splits[Split.TRAIN]
    assert Counter((example.task, example.choices) for example in train) == {
        ("closed", ("no", "yes")): 4,
        ("open", ()): 9,
    }


def test_two_limits_for_the_same_rows_are_refused(tmp_path):
    write(tmp_path / "a.jsonl", [{"instruction": "q", "output": "a"}])
    with pytest.raises(
        DataError, match=r"data.sources\[0\] and data.sources\[1\] both read a.jsonl:1 under the task a, "
    ):
        build(settings_for("a.jsonl", {"path": "*.jsonl", "limit": {"train": 3}}), tmp_path)


def test_rows_of_one_document_stay_in_one_split(tmp_path):
    texts, ratings = [], []
    for number in range(90):
        mean = 2.5 if number % 2 else -2.5
        texts.append(f"doc{number // 3}_{number}\t{mean}\ttext number {number}")
        ratings.append(f"doc{number // 3}_{number}\t{mean}\t0.5\t{[2, 3] if number % 2 else [-2, -3]}")
    (tmp_path / "texts.txt").write_text("\n".join(texts))
    (tmp_path / "ratings.txt").write_text("\n".join(ratings))
    source = {
        "format": "ratings",
        "path": "ratings.txt",
        "texts": "texts.txt",
        "task": "mood",
        "labels": {"good": [1, 4], "bad": [-4, -1]},
        "document_id": "^(doc\\d+)_",
    }
    built = build(settings_for(source, split={**HALF, "group_by": "document"}), tmp_path)
    homes: dict[str, set[Split]] = {}
    for split, examples in built.splits.items():
        for example in examples:
            homes.setdefault(example.group, set()).add(split)
    assert len(homes) == 30
    assert all(len(found) == 1 for found in homes.values())
    assert all(examples for examples in built.splits.values())
    assert len(built.rated["mood"]) == 90


# --- empty splits --------------------------------------------------------------------------------------------------
def test_nothing_left_to_train_on_says_where_it_went(tmp_path):
    write(tmp_path / "a.jsonl", [{"instruction": "q", "output": ""}, {"instruction": "", "output": "a"}])
    with pytest.raises(DataError, match=r"no example is left to train on \(2 empty\)") as caught:
        build(settings_for("a.jsonl"), tmp_path)
    assert caught.value.hint


def test_a_training_split_that_falls_empty_is_refused(tmp_path):
    write(tmp_path / "a.jsonl", [{"instruction": "q", "output": "a"}])
    shares = {"validation": 0.0, "test": 0.999}
    with pytest.raises(DataError, match=r"no example is left to train on \(none were dropped\)"):
        build(settings_for("a.jsonl", split=shares), tmp_path)


def test_validation_may_be_empty(tmp_path):
    write(tmp_path / "a.jsonl", [{"instruction": f"q{n}", "output": "a"} for n in range(9)])
    built = build(settings_for("a.jsonl", split=NONE), tmp_path)
    assert [len(built.splits[split]) for split in Split] == [9, 0, 0]


# --- names and bytes -----------------------------------------------------------------------------------------------
@pytest.fixture
def mixed(tmp_path: Path) -> Experiment:
    write(tmp_path / "a.jsonl", [{"instruction": f"问题 {n}", "output": ["甲", f"乙{n}"]} for n in range(20)])
    write(tmp_path / "b.jsonl", [{"text": f"{n % 18}", "label": ["yes", "no"][n % 2]} for n in range(40)])
    return Experiment(name="mixed", data=settings_for("a.jsonl", "b.jsonl", split=HALF))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_two_builds_give_equal_bytes(mixed, tmp_path):
    first, second = (build_folder(mixed, tmp_path, tmp_path / out, SilentProgress()) for out in ("one", "two"))
    assert first.name == second.name
    assert contents(first) == contents(second)
    assert {"train.parquet", "validation.parquet", "test.parquet", "ledger.jsonl", "manifest.json"} <= set(
        contents(first)
    )
    manifest = read_manifest(first)
    assert manifest.num_examples == {split.value: len(read_examples(first, split)) for split in Split}


def test_a_dataset_is_named_by_what_it_is_made_of(mixed, tmp_path):
    data = mixed.data
    name = dataset_hash(data, tmp_path)
    other = data.model_copy(update={"max_length": 8, "overlong": "drop"})
    assert dataset_hash(other, tmp_path) == name  # they decide only how it is encoded
    assert dataset_hash(data.model_copy(update={"transforms": []}), tmp_path) != name
    (tmp_path / "a.jsonl").write_bytes((tmp_path / "a.jsonl").read_bytes() + b"\n")
    assert dataset_hash(data, tmp_path) != name
