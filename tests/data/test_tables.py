"""Tables as text and as parquet: rows, places, and rows that do not fit their header."""

import json
from pathlib import Path

import pytest

from instructglm.core.errors import DataError
from instructglm.core.records import Fault
from instructglm.data.rows import Row, read_rows

GOOD = {"instruction": "你好", "output": "Hello"}


def write(folder: Path, content: str | bytes, name: str = "a.jsonl") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path) -> list[Row | Fault]:
    return list(read_rows(path, path.name))


def rows_of(path: Path) -> list[object]:
    return [row.value if isinstance(row, Row) else row for row in read(path)]


def error_of(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read(path)
    return str(caught.value)


class TestTables:
    def test_quotes_line_ends_and_commas_inside_a_field(self, tmp_path):
        path = write(tmp_path, 'prompt,completion\r\n"a, ""b""\nc",d\r\ne,f\r\n', "a.csv")
        assert read(path) == [
            Row("a.csv:2", {"prompt": 'a, "b"\nc', "completion": "d"}),
            Row("a.csv:4", {"prompt": "e", "completion": "f"}),
        ]

    @pytest.mark.parametrize("separator", [",", "\t", ";"])
    def test_the_header_tells_the_separator(self, tmp_path, separator):
        path = write(tmp_path, f"prompt{separator}completion\na{separator}b\n", "a.csv")
        assert rows_of(path) == [{"prompt": "a", "completion": "b"}]

    def test_blank_lines_count_but_hold_nothing(self, tmp_path):
        path = write(tmp_path, "\nprompt\tcompletion\n\na\tb\n", "a.tsv")
        assert read(path) == [Row("a.tsv:4", {"prompt": "a", "completion": "b"})]

    def test_ragged_rows_are_all_named_and_the_others_read(self, tmp_path):
        first, second, third = read(write(tmp_path, "prompt,completion\na,b,c\nd\ne,f\n", "a.csv"))
        assert (first.row, first.found) == ("a.csv:2", "3 fields")
        assert "2 as in the header (prompt, completion)" in first.expected
        assert (second.row, second.found) == ("a.csv:3", "1 field")
        assert third == Row("a.csv:4", {"prompt": "e", "completion": "f"})

    def test_a_quote_that_is_never_closed_is_named_where_it_opens(self, tmp_path):
        _, fault = read(write(tmp_path, 'prompt,completion\na,b\n"c,d\ne,f\n', "a.csv"))
        assert fault.row == "a.csv:3"
        assert "every quote closed" in fault.expected

    def test_one_column_is_no_table(self, tmp_path):
        message = error_of(write(tmp_path, "hello\nthere\n", "a.csv"))
        assert "a.csv:1: found one column (hello)" in message
        assert "header line" in message

    def test_two_columns_of_one_name(self, tmp_path):
        assert "names no more than once" in error_of(write(tmp_path, "no,no\na,b\n", "a.csv"))

    def test_a_long_answer_is_no_fault(self, tmp_path):
        long = "x" * 300_000
        assert rows_of(write(tmp_path, f"prompt,completion\na,{long}\n", "a.csv")) == [
            {"prompt": "a", "completion": long}
        ]

    def test_braces_in_a_text_do_not_make_it_json(self, tmp_path):
        assert rows_of(write(tmp_path, "text,label\n{name} came,good\n", "a.csv")) == [
            {"text": "{name} came", "label": "good"}
        ]

    def test_json_lines_called_csv(self, tmp_path):
        assert rows_of(write(tmp_path, json.dumps(GOOD), "a.csv")) == [GOOD]


class TestParquet:
    def test_rows_and_places(self, tmp_path):
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        table = pa.table({"prompt": ["a", "b"], "outputs": [["x", "y"], ["z"]], "score": [1.5, float("nan")]})
        pq.write_table(table, tmp_path / "a.parquet")
        assert read(tmp_path / "a.parquet") == [
            Row("a.parquet[0]", {"prompt": "a", "outputs": ["x", "y"], "score": 1.5}),
            Row("a.parquet[1]", {"prompt": "b", "outputs": ["z"], "score": None}),
        ]

    def test_times_become_text(self, tmp_path):
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        days = pa.array([19_000], pa.int32()).cast(pa.date32())
        pq.write_table(pa.table({"prompt": ["a"], "day": days}), tmp_path / "a.parquet")
        assert rows_of(tmp_path / "a.parquet") == [{"prompt": "a", "day": "2022-01-08"}]

    def test_a_damaged_file(self, tmp_path):
        message = error_of(write(tmp_path, b"PAR1" + bytes(40), "a.parquet"))
        assert "a.parquet: a damaged parquet file, after 0 rows" in message
