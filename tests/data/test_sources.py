"""From paths, globs and lists to files, and from files to examples with nothing lost on the way."""

import hashlib
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructglm.config.data import RatingsSource, RowSource
from instructglm.core.errors import DataError
from instructglm.core.records import Example, Fault, Message, Output, Split, example_id, prompt_hash
from instructglm.data.records import EmptyRow
from instructglm.data.sources import expand, read_any, read_source, source_files

ROW = {"instruction": "a", "output": "b"}


def put(folder, name, *rows):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


def error_of(call, *arguments):
    with pytest.raises(DataError) as caught:
        call(*arguments)
    return str(caught.value)


class TestExpand:
    def test_globs_lists_and_plain_paths_each_file_once(self, tmp_path):
        for name in ("raw/b.json", "raw/a.json", "raw/deep/c.json", "d.json"):
            put(tmp_path, name, ROW)
        found = expand(["d.json", "raw/*.json", "raw/**/*.json"], tmp_path)
        assert [shown for _, shown in found] == ["d.json", "raw/a.json", "raw/b.json", "raw/deep/c.json"]
        assert all(path.is_file() for path, _ in found)

    def test_absolute_paths_and_globs(self, tmp_path):
        path = put(tmp_path, "a.json", ROW)
        assert expand(str(path), tmp_path / "elsewhere") == [(path, str(path))]
        assert expand(f"{tmp_path}/*.json", tmp_path) == [(path, str(path))]

    def test_a_file_whose_name_looks_like_a_glob(self, tmp_path):
        path = put(tmp_path, "a[1].json", ROW)
        assert expand("a[1].json", tmp_path) == [(path, "a[1].json")]

    def test_all_that_lead_nowhere_are_named_with_what_is_near(self, tmp_path):
        put(tmp_path, "raw/alpaca_zh.json", ROW)
        message = error_of(expand, ["raw/alpaca_en.json", "raw/*.csv", "nowhere/*.json"], tmp_path)
        assert "raw/alpaca_en.json: no such file" in message
        assert "Did you mean 'alpaca_zh.json'?" in message
        assert f"raw/*.csv: no file matches\nLooked in {tmp_path / 'raw'}, which holds alpaca_zh.json." in message
        assert "nowhere/*.json: no file matches" in message

    def test_a_glob_takes_no_folders(self, tmp_path):
        (tmp_path / "raw" / "sub").mkdir(parents=True)
        assert "no file matches" in error_of(expand, "raw/*", tmp_path)

    def test_a_folder_is_refused_when_read(self, tmp_path):
        (tmp_path / "raw").mkdir()
        assert "raw: is a folder" in error_of(read_source, RowSource(path="raw"), tmp_path)


class TestReading:
    def test_examples_faults_and_empty_rows_stand_apart_and_none_is_lost(self, tmp_path):
        put(
            tmp_path,
            "a.jsonl",
            ROW,
            {"instruction": 1, "output": None},
            {**ROW, "output": ""},
            {**ROW, "output": ["b", ""]},
        )
        reading = read_source(RowSource(path="a.jsonl"), tmp_path)
        assert [example.row for example in reading.examples] == ["a.jsonl:1", "a.jsonl:4"]
        assert [(fault.row, fault.field) for fault in reading.faults] == [
            ("a.jsonl:2", "instruction"),
            ("a.jsonl:2", "output"),
        ]
        assert reading.empty == [EmptyRow("a.jsonl:3", "output"), EmptyRow("a.jsonl:4", "output[1]")]
        assert reading.files[0].num_rows == 4

    def test_the_file_is_on_record(self, tmp_path):
        path = put(tmp_path, "raw/my data.jsonl", ROW)
        (file,) = read_source(RowSource(path="raw/*.jsonl"), tmp_path).files
        assert file.model_dump() == {
            "path": "raw/my data.jsonl",
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "format": "alpaca",
            "task": "my-data",
            "num_rows": 1,
            "origin": "",
        }

    def test_tasks_are_named_by_file_or_by_the_source(self, tmp_path):
        put(tmp_path, "a.jsonl", ROW)
        put(tmp_path, "b.jsonl", ROW)
        tasks = lambda **more: [each.task for each in read_source(RowSource(path="*.jsonl", **more), tmp_path).examples]  # noqa: E731
        assert tasks() == ["a", "b"]
        assert tasks(task="triage") == ["triage", "triage"]

    def test_a_broken_line_is_a_fault_beside_the_others(self, tmp_path):
        (tmp_path / "a.jsonl").write_text('{"instruction": "a", "output": "b"}\n{"instr\n{"instruction": 1}\n')
        reading = read_source(RowSource(path="a.jsonl"), tmp_path)
        assert [fault.row for fault in reading.faults] == ["a.jsonl:2", "a.jsonl:3", "a.jsonl:3"]
        assert len(reading.examples) == 1

    def test_instances_of_a_task_are_named_by_file_and_index(self, tmp_path):
        task = {"Definition": "Say it.", "Instances": [{"input": "a", "output": "b"}, {"input": 1, "output": "b"}]}
        (tmp_path / "a.json").write_text(json.dumps(task, indent=1))
        reading = read_source(RowSource(path="a.json"), tmp_path)
        assert [example.row for example in reading.examples] == ["a.json[0]"]
        assert [fault.row for fault in reading.faults] == ["a.json[1]"]

    def test_one_bad_row_alone_in_its_file(self, tmp_path):
        put(tmp_path, "a.jsonl", {"instruction": "a", "output": 7})
        (fault,) = read_source(RowSource(path="a.jsonl"), tmp_path).faults
        assert str(fault) == "a.jsonl:1: output: found the number 7; expected text"

    def test_nothing_but_broken_lines(self, tmp_path):
        (tmp_path / "a.jsonl").write_text('{"a\n{"b\n')
        reading = read_source(RowSource(path="a.jsonl"), tmp_path)
        assert (len(reading.faults), reading.examples, reading.files[0].num_rows) == (2, [], 2)

    def test_all_files_that_cannot_be_read_are_named_at_once(self, tmp_path):
        put(tmp_path, "good.jsonl", ROW)
        (tmp_path / "empty.jsonl").touch()
        (tmp_path / "cut.json").write_text('[{"a')
        message = error_of(read_source, RowSource(path=["*.jsonl", "*.json"]), tmp_path)
        assert "empty.jsonl: the file is empty" in message
        assert "cut.json:1:5: the array breaks off here" in message

    def test_a_named_format_reads_rows_that_would_pass_for_another(self, tmp_path):
        put(tmp_path, "a.jsonl", {"prompt": "p", "completion": "c", "instruction": "a", "output": "b"})
        read = lambda name: read_source(RowSource(path="a.jsonl", format=name), tmp_path).examples[0].references  # noqa: E731
        assert (read("auto"), read("table")) == (("b",), ("c",))

    def test_a_named_format_that_does_not_fit_is_one_error(self, tmp_path):
        put(tmp_path, "a.jsonl", *[ROW] * 50)
        message = error_of(read_source, RowSource(path="a.jsonl", format="sharegpt"), tmp_path)
        assert message.startswith(
            "a.jsonl: the rows have the keys instruction, output; the sharegpt format needs conversations"
        )

    def test_named_columns_mean_a_table(self, tmp_path):
        (tmp_path / "a.csv").write_text("instruction,output,note\na,b,c\n", encoding="utf-8")
        (example,) = read_source(RowSource(path="a.csv", output_column="note"), tmp_path).examples
        assert example.references == ("c",)

    def test_a_column_that_is_not_there(self, tmp_path):
        (tmp_path / "a.csv").write_text("frage,antwort\na,b\n", encoding="utf-8")
        source = RowSource(path="a.csv", prompt_column="fragen", output_column="label")
        message = error_of(read_source, source, tmp_path)
        assert "a.csv: no column 'fragen'; the columns are frage, antwort" in message
        assert "a.csv: no column 'label'" in message
        assert "Did you mean 'frage'?" in message

    def test_other_formats_are_read_through_the_same_door(self, tmp_path):
        (tmp_path / "good.txt").write_text("很好\n不错\n", encoding="utf-8")
        reading = read_any(RowSource(path="good.txt", format="lines", output="正面"), tmp_path)
        assert [example.references for example in reading.examples] == [("正面",), ("正面",)]
        assert reading.files[0].format == "lines"

    def test_rated_texts_come_with_their_ratings_and_both_files(self, tmp_path):
        (tmp_path / "texts.txt").write_text("1\t3.5\tlovely\n2\t-2.5\tawful\n3\t0\tso so\n")
        (tmp_path / "ratings.txt").write_text("1\t3.5\t1\t[3, 4]\n2\t-2.5\t1\t[-3, -2]\n3\t0\t1\t[-1, 1]\n")
        labels = {"good": (1, 4), "bad": (-4, -1)}
        source = RatingsSource(format="ratings", path="ratings.txt", texts="texts.txt", labels=labels, task="mood")
        reading = read_any(source, tmp_path)
        assert [example.references for example in reading.examples] == [("good",), ("bad",)]
        assert [entry.reason for entry in reading.ledger] == ["raters_split"]
        assert len(reading.rated["mood"]) == 3
        assert [file.path for file in reading.files] == ["ratings.txt", "texts.txt"]
        assert [shown for _, shown in source_files(source, tmp_path)] == ["ratings.txt", "texts.txt"]

    def test_ten_thousand_rows_in_well_under_two_seconds(self, tmp_path):
        put(
            tmp_path,
            "a.jsonl",
            *({"instruction": f"Say {n}.", "input": "x" * 200, "output": "y" * 300} for n in range(10_000)),
        )
        start = time.process_time()
        assert len(read_source(RowSource(path="a.jsonl"), tmp_path).examples) == 10_000
        assert time.process_time() - start < 2


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(str.strip)
messages = st.lists(texts, min_size=1, max_size=3).map(
    lambda all: tuple(Message(role="user", content=text) for text in all)
)
outputs = st.lists(
    st.builds(Output, text=texts, weight=st.floats(0.1, 9), annotator=st.none() | texts), min_size=1, max_size=3
)


@settings(max_examples=50, deadline=None)
@given(
    messages=messages, outputs=outputs, split=st.none() | st.sampled_from(Split), choices=st.lists(texts, max_size=2)
)
def test_a_snapshot_reads_back_what_was_written(tmp_path_factory, messages, outputs, split, choices):
    example = Example(
        id=example_id("t", messages), task="t", messages=messages, outputs=tuple(outputs), choices=tuple(choices),
        group=prompt_hash(messages), split=split, row="raw/a.jsonl:7", metadata={"n": 1.5, "deep": {"x": [None]}},
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("snapshot")
    (folder / "s.jsonl").write_text(f"{example.model_dump_json()}\n" * 2, encoding="utf-8")
    reading = read_source(RowSource(path="s.jsonl", format="snapshot"), folder)
    assert reading.examples == [example, example]
    assert not any(isinstance(result, Fault) for result in reading.faults)
