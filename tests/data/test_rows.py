"""Every layout reads to the same rows, and every bad file says what is wrong with it and where."""

import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructglm.core.errors import DataError
from instructglm.core.records import Fault
from instructglm.data import json_arrays, json_files
from instructglm.data.rows import Row, read_rows

GOOD = {"instruction": "你好", "output": "Hello"}
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | texts, lambda inner: st.lists(inner, max_size=3)
)
objects = st.dictionaries(texts, values, max_size=4)


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


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(objects, min_size=2, max_size=5), indent=st.sampled_from([None, 1]), chunk=st.integers(1, 40))
def test_an_array_reads_as_json_loads_reads_it_whatever_the_window(tmp_path_factory, rows, indent, chunk):
    path = write(tmp_path_factory.mktemp("a"), json.dumps(rows, indent=indent, ensure_ascii=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_arrays, "_CHUNK", chunk)
        assert rows_of(path) == rows


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(objects, min_size=2, max_size=5),
    ends=st.sampled_from(["\n", "\r\n", "\n\n"]),
    name=st.sampled_from(["a.json", "a.jsonl", "a.txt"]),
)
def test_json_lines_read_back_whatever_the_file_is_called(tmp_path_factory, rows, ends, name):
    text = ends.join(json.dumps(row, ensure_ascii=False) for row in rows)
    assert rows_of(write(tmp_path_factory.mktemp("a"), text, name)) == rows


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize("indent", [None, 2])
def test_one_object_is_one_row(tmp_path, name, indent):
    value = {"Definition": ["x"], "Instances": [{"input": "a\u2028b", "output": ["c"]}]}
    rows = read(write(tmp_path, json.dumps(value, indent=indent, ensure_ascii=False), name))
    assert rows == [Row(name if indent else f"{name}:1", value)]


def test_places_are_lines_for_json_lines_and_for_arrays_with_line_ends(tmp_path):
    lines = "\n".join(json.dumps(GOOD) for _ in range(2))
    assert [row.place for row in read(write(tmp_path, "\n" + lines))] == ["a.jsonl:2", "a.jsonl:3"]
    pretty = json.dumps([GOOD, GOOD], indent=1)
    assert [row.place for row in read(write(tmp_path, pretty))] == ["a.jsonl:2", "a.jsonl:6"]


def test_places_are_indices_for_an_array_in_one_line(tmp_path):
    assert [row.place for row in read(write(tmp_path, json.dumps([GOOD, GOOD])))] == ["a.jsonl[0]", "a.jsonl[1]"]


def test_two_rows_in_one_line_of_an_array_keep_different_places(tmp_path):
    one = json.dumps(GOOD)
    places = [row.place for row in read(write(tmp_path, f"[\n{one}, {one},\n{one}]"))]
    assert places == ["a.jsonl:2", "a.jsonl:2[1]", "a.jsonl:3"]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("layout", ["lines", "array", "csv"])
def test_utf8_and_utf16_with_a_mark_read_the_same(tmp_path, codec, layout):
    text = {
        "lines": json.dumps(GOOD, ensure_ascii=False) + "\n" + json.dumps(GOOD, ensure_ascii=False),
        "array": json.dumps([GOOD, GOOD], ensure_ascii=False),
        "csv": "instruction,output\n你好,Hello\n你好,Hello\n",
    }[layout]
    mark = "\ufeff" if codec in ("utf-16-le", "utf-16-be") else ""
    assert rows_of(write(tmp_path, (mark + text).encode(codec))) == [GOOD, GOOD]


class TestWholeFiles:
    def test_missing(self, tmp_path):
        write(tmp_path, "x", "alpaca_zh.json")
        message = error_of(tmp_path / "alpaca_en.json")
        assert "alpaca_en.json: no such file" in message
        assert "Did you mean 'alpaca_zh.json'?" in message

    def test_missing_folder(self, tmp_path):
        assert f"There is no folder {tmp_path / 'raw'}." in error_of(tmp_path / "raw" / "a.json")

    def test_a_folder(self, tmp_path):
        (tmp_path / "raw").mkdir()
        assert "raw: is a folder; expected a file\nName its files, such as raw/*.json" in error_of(tmp_path / "raw")

    @pytest.mark.parametrize(
        ("content", "found"),
        [
            (b"", "the file is empty"),
            (b"\xef\xbb\xbf", "holds only blank lines"),
            (b" \n\n ", "holds only blank lines"),
            (b"[]", "holds no rows"),
            (b"[ \n ]\n", "holds no rows"),
            (b"prompt,completion\n", "holds no rows"),
        ],
    )
    def test_nothing_in_it(self, tmp_path, content, found):
        assert f"a.jsonl: {found}" in error_of(write(tmp_path, content))

    @pytest.mark.parametrize(
        ("magic", "kind"), [(b"\x1f\x8b\x08", "gzip"), (b"PK\x03\x04", "Excel"), (b"(\xb5/\xfd", "zstandard")]
    )
    def test_a_packed_file(self, tmp_path, magic, kind):
        assert kind in error_of(write(tmp_path, magic + bytes(20)))

    @pytest.mark.parametrize("indent", [None, 1])
    def test_a_truncated_array_names_line_column_and_last_whole_row(self, tmp_path, indent):
        text = json.dumps([GOOD, GOOD, GOOD], indent=indent)
        cut = text[: text.rindex("Hello") + 3]
        message = error_of(write(tmp_path, cut, "a.json"))
        line, column = cut.count("\n") + 1, len(cut) - cut.rfind("\n")
        assert f"a.json:{line}:{column}: the array breaks off here" in message
        last = "a.json:6" if indent else "a.json[1]"
        assert f"the last whole row is {last}, number 2" in message

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ('[{"a": 1}, {"b": nul}, {"c": 2222222222222222222222}]', "a.json:1:18"),
            ('[\n{"a": 1}\n{"b": 2}\n]', "a.json:3:1"),
            ('[{"a": 1},\n]\n                        ', "a.json:2:1"),
            ('[{"a": 1}]\n[{"b": 2}]', "a.json:2:1"),
            ('{\n "a": 1,\n "b" 2\n}', "a.json:3:6"),
        ],
    )
    def test_a_malformed_array_or_object_names_line_and_column(self, tmp_path, text, place):
        assert f"{place}: " in error_of(write(tmp_path, text, "a.json"))

    @settings(max_examples=80, deadline=None)
    @given(cut=st.integers(1, 105), chunk=st.integers(1, 50))
    def test_wherever_an_array_is_cut_it_is_an_error(self, tmp_path_factory, cut, chunk):
        text = json.dumps([GOOD, {"a": [1, 2.5, None, True]}, GOOD])
        path = write(tmp_path_factory.mktemp("a"), text[: min(cut, len(text) - 1)])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(json_arrays, "_CHUNK", chunk)
            assert "breaks off here" in error_of(path)

    def test_a_truncated_lone_object(self, tmp_path):
        message = error_of(write(tmp_path, '{\n "Definition": "x",\n "Instances": [{"in', "a.json"))
        assert "a.json:3:17: the JSON object breaks off here (the file ends in line 3)" in message


class TestBadLines:
    def test_a_broken_line_is_a_fault_and_reading_goes_on(self, tmp_path):
        good = json.dumps(GOOD)
        rows = read(write(tmp_path, f'{good}\n{{"a": nul}}\n{good}\n{good[:-4]}'))
        assert [row.value for row in rows if isinstance(row, Row)] == [GOOD, GOOD]
        wrong, cut = (row for row in rows if isinstance(row, Fault))
        assert (wrong.row, wrong.field) == ("a.jsonl:2", "line")
        assert "wrong at column 7" in wrong.found
        assert cut.row == "a.jsonl:4"
        assert f"breaks off at column {len(good) - 3} (the last whole row is line 3)" in cut.found

    def test_a_broken_first_line_does_not_hide_the_layout(self, tmp_path):
        first, second = read(write(tmp_path, f"{json.dumps(GOOD)[:-5]}\n{json.dumps(GOOD)}\n"))
        assert isinstance(first, Fault)
        assert second == Row("a.jsonl:2", GOOD)

    def test_commas_after_lines(self, tmp_path):
        good = json.dumps(GOOD)
        faults = read(write(tmp_path, f"{good},\n{good},\n"))
        assert [fault.found.split(",")[0] for fault in faults] == ["a comma after the object"] * 2

    @pytest.mark.parametrize(
        ("line", "found"),
        [("null", "null"), ("[1, 2]", "a list of 2"), ("3", "the number 3"), ('"x"', '"x"'), ("true", "true")],
    )
    def test_rows_that_are_no_objects(self, tmp_path, line, found):
        good, fault = read(write(tmp_path, f"{json.dumps(GOOD)}\n{line}\n"))
        assert isinstance(good, Row)
        assert (fault.row, fault.found, fault.expected) == ("a.jsonl:2", found, "an object with named fields")

    def test_a_first_row_that_is_no_object(self, tmp_path):
        fault, good = read(write(tmp_path, f"null\n{json.dumps(GOOD)}\n"))
        assert (fault.row, good) == ("a.jsonl:1", Row("a.jsonl:2", GOOD))

    def test_elements_of_an_array_that_are_no_objects(self, tmp_path):
        good, fault = read(write(tmp_path, json.dumps([GOOD, 12])))
        assert (good.value, fault.row, fault.found) == (GOOD, "a.jsonl[1]", "the number 12")

    @pytest.mark.parametrize("layout", ["{0}\n{0}", "[{0}]"])
    def test_half_a_character(self, tmp_path, layout):
        fault = read(write(tmp_path, layout.format('{"instruction": "\\ud83d", "output": "x"}')))[0]
        assert "half a character" in fault.found

    def test_a_whole_character_in_escapes(self, tmp_path):
        assert rows_of(write(tmp_path, '{"a": "\\ud83d\\ude00"}')) == [{"a": "😀"}]

    def test_nan_is_null(self, tmp_path):
        assert rows_of(write(tmp_path, '{"output": NaN}')) == [{"output": None}]

    @pytest.mark.parametrize("bad", ["[" * 100_000, "9" * 5_000])
    def test_absurd_json_is_a_fault_not_a_crash(self, tmp_path, bad):
        good, fault = read(write(tmp_path, f'{json.dumps(GOOD)}\n{{"a": {bad}}}\n'))
        assert isinstance(good, Row)
        assert "cannot be read" in fault.found

    @pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
    def test_a_line_of_50_mb_is_named_and_never_held(self, tmp_path, name):
        start, end = ('{"instruction": "', '", "output": "y"}') if name == "a.jsonl" else ("", ",y")
        first, last = (json.dumps(GOOD),) * 2 if name == "a.jsonl" else ("instruction,output", "你好,Hello")
        path = tmp_path / name
        with path.open("w", encoding="utf-8") as file:
            file.write(f"{first}\n{start}")
            for _ in range(50):
                file.write("x" * 2**20)
            file.write(f"{end}\n{last}\n")
        tracemalloc.start()
        rows = read(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        fault = next(row for row in rows if isinstance(row, Fault))
        assert (fault.row, fault.found) == (f"{name}:2", "50.0 MiB")
        assert "at most 16 MiB" in fault.expected
        assert rows[-1] == Row(f"{name}:3", GOOD)
        assert peak < 100 * 2**20

    def test_a_file_that_is_one_long_line(self, tmp_path):
        path = write(tmp_path, '{"instruction": "' + "x" * (17 * 2**20) + '", "output": "y"}')
        (fault,) = read(path)
        assert (fault.row, fault.found) == ("a.jsonl:1", "17.0 MiB")

    def test_a_lone_object_beyond_all_measure(self, tmp_path):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(json_files, "_MAX_DOCUMENT_BYTES", 2**20)
            message = error_of(write(tmp_path, json.dumps({"Instances": ["x" * 2**21]}, indent=1)))
        assert "one JSON object of 2 MiB; expected at most 1 MiB" in message

    def test_a_large_task_in_one_line_is_read(self, tmp_path):
        instances = [{"input": "x" * 2**20, "output": ["y"]}] * 17
        (row,) = read(write(tmp_path, json.dumps({"Definition": "z", "Instances": instances})))
        assert len(row.value["Instances"]) == 17

    def test_a_large_array_in_one_line_is_read_row_by_row(self, tmp_path):
        path = write(tmp_path, json.dumps([{"a": "x" * 2**20}] * 96))
        tracemalloc.start()
        num_rows = sum(isinstance(row, Row) for row in read_rows(path, "a"))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert num_rows == 96
        assert peak < 64 * 2**20

    def test_a_too_large_row_of_an_array(self, tmp_path):
        message = error_of(write(tmp_path, json.dumps([GOOD, {"a": "x" * (40 * 2**20)}])))
        assert "a row of more than 16 MiB begins here" in message
        assert "the last whole row is a.jsonl[0], number 1" in message
