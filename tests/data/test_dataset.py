"""A dataset on disk is read back equal, or refused with the next move."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instructglm.core.errors import StorageError
from instructglm.core.ledger import Ledger
from instructglm.core.records import Example, Message, Output, Rating, Split
from instructglm.data.dataset import (
    FORMAT_VERSION,
    Manifest,
    read_examples,
    read_ledger,
    read_manifest,
    rows_by_reason,
    write_examples,
    write_ledger,
    write_manifest,
)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
number = st.floats(allow_nan=False, allow_infinity=False)
messages = st.builds(Message, role=st.sampled_from(["system", "user", "assistant"]), content=text)
outputs = st.builds(
    Output, text=text, weight=st.floats(0.001, 1e6), annotator=st.none() | text
)  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | number | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
examples = st.builds(
    Example,
    id=text,
    task=text,
    messages=st.lists(messages, max_size=3).map(tuple),
    outputs=st.lists(outputs, max_size=3).map(tuple),
    choices=st.lists(text, max_size=3).map(tuple),
    group=text,
    split=st.none() | st.sampled_from(Split),
    row=text,
    ratings=st.lists(st.builds(Rating, annotator=text, value=number), max_size=2).map(tuple),
    metadata=st.dictionaries(st.text(string.ascii_letters, max_size=4), json_values, max_size=3),
)
MANIFEST = Manifest(
    name="n", hash="h", settings={"a": [1, None]}, files=(), num_examples={"train": 1}, num_outputs={"train": 2},
    ledger_counts={"empty": 1}, ledger_rows={"empty": ("a:1",)},
)  # fmt: skip


@given(st.lists(examples, max_size=5))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_examples_are_read_back_equal(tmp_path, written):
    write_examples(tmp_path / "train.parquet", written)
    assert read_examples(tmp_path, Split.TRAIN) == written


def test_a_manifest_is_read_back_equal(tmp_path):
    write_manifest(tmp_path, MANIFEST)
    assert read_manifest(tmp_path) == MANIFEST


def test_a_ledger_is_read_back_equal_whatever_its_texts_hold(tmp_path):
    ledger = Ledger()
    ledger.drop("a:1", "duplicate", "same as\u2028 a:0\nor so\x85", task="t")
    ledger.cut("a:2", "overlong", 7, "前面")
    ledger.drop("a:3", "duplicate")
    write_ledger(tmp_path, ledger.entries)
    assert read_ledger(tmp_path) == list(ledger.entries)
    assert rows_by_reason(ledger.entries) == {"duplicate": ("a:1", "a:3"), "overlong": ("a:2",)}


def test_no_ledger_is_an_empty_one(tmp_path):
    assert read_ledger(tmp_path) == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_examples(tmp_path / "train.parquet", [])
    write_ledger(tmp_path, ())
    write_manifest(tmp_path, MANIFEST)
    return tmp_path


READERS = {
    "train.parquet": lambda folder: read_examples(folder, Split.TRAIN),
    "manifest.json": read_manifest,
    "ledger.jsonl": read_ledger,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("content", [b"PAR1 cut off", b"{", b'{"a": 1}', b"\xff\xfe\x00"])
def test_a_damaged_file_is_refused_with_the_next_move(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(StorageError) as caught:
        READERS[name](folder)
    (fault,) = caught.value.faults
    assert fault.startswith(f"{folder / name}: damaged: ")
    assert "\n" not in fault
    assert caught.value.hint == "Remove the folder and run the command again: the dataset is built anew."


@pytest.mark.parametrize("name", ["train.parquet", "manifest.json"])
def test_a_missing_file_is_refused_with_the_next_move(folder, name):
    (folder / name).unlink()
    with pytest.raises(StorageError, match="missing: ") as caught:
        READERS[name](folder)
    assert "run the command again" in caught.value.hint


def test_a_table_of_something_else_is_damaged(folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": [1]}), folder / "train.parquet")
    with pytest.raises(StorageError, match="damaged"):
        read_examples(folder, Split.TRAIN)


def test_a_dataset_of_another_version_is_refused(folder):
    write_manifest(folder, MANIFEST.model_copy(update={"format_version": FORMAT_VERSION + 1}))
    with pytest.raises(StorageError, match=f"found format version {FORMAT_VERSION + 1}; expected {FORMAT_VERSION}"):
        read_manifest(folder)


def test_a_full_disk_is_told_with_the_next_move(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    path = tmp_path / "train.parquet"
    path.symlink_to("/dev/full")  # never the device itself: pyarrow removes the file that it could not write
    message = Message(role="user", content="q")
    example = Example(id="i", task="t", messages=(message,), outputs=(), group="g", row="a:1")
    with pytest.raises(StorageError, match=r"train.parquet: cannot write: .*No space left") as caught:
        write_examples(path, [example])
    assert "space" in caught.value.hint
