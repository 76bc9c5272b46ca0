"""`data check` reads what it is given and says what is in it and what is wrong."""

import json
from pathlib import Path

import pytest

from instructglm.config.data import RatingsSource, RowSource
from instructglm.data.check import CheckResult, check

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def one(folder, *rows, **source):
    (folder / "a.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    (file,) = check([RowSource(path="a.jsonl", **source)], folder).files
    return file


def test_figures_of_a_small_file(tmp_path):
    rows = [{"instruction": "甲" * n, "output": ["b" * n, "c"]} for n in range(1, 11)]
    file = one(tmp_path, *rows, {"instruction": "", "output": "b"}, {"instruction": 1, "output": "b"})
    assert (file.format, file.num_rows, file.num_examples, file.num_with_several_outputs) == ("alpaca", 12, 10, 10)
    assert file.prompt_lengths.model_dump() == {"median": 5, "p90": 9, "max": 10}
    assert file.output_lengths.max == 10
    assert file.cjk_share == pytest.approx(55 / (55 + 55 + 10))
    assert file.empty_rows == ("a.jsonl:11: instruction",)
    assert [fault.row for fault in file.faults] == ["a.jsonl:12"]
    assert file.tasks == {"a": 10}


def test_a_closed_task_shows_its_choices(tmp_path):
    file = one(tmp_path, *({"text": f"{n}", "label": ["no", "yes"][n % 2]} for n in range(20)))
    assert file.choices == {"a": ("no", "yes")}


def test_a_file_that_cannot_be_read_does_not_hide_the_others(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"instruction": "a", "output": "b"}')
    (tmp_path / "b.jsonl").write_bytes('{"instruction": "你好"}'.encode("gbk"))
    result = check([RowSource(path="*.jsonl"), RowSource(path="c.jsonl")], tmp_path)
    good, gbk, missing = result.files
    assert (good.error, good.num_examples) == (None, 1)
    assert "reads as GBK" in gbk.error
    assert "no such file" in missing.error
    assert not result.ok


def test_empty_rows_alone_are_no_fault(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"instruction": "a", "output": ""}')
    result = check([RowSource(path="a.jsonl")], tmp_path)
    assert result.ok
    assert result.files[0].prompt_lengths is None
    assert result.files[0].cjk_share is None


def test_rated_texts_count_once_though_they_stand_in_two_tables(tmp_path):
    (tmp_path / "texts.txt").write_text("1\t3.5\tlovely\n2\t0\tso so\n")
    (tmp_path / "ratings.txt").write_text("1\t3.5\t1\t[3, 4]\n2\t0\t1\t[-1, 1]\n")
    labels = {"good": (1, 4), "bad": (-4, -1)}
    source = RatingsSource(format="ratings", path="ratings.txt", texts="texts.txt", labels=labels)
    (file,) = check([source], tmp_path).files
    assert (file.format, file.num_rows, file.num_examples, file.num_raters_split) == ("ratings", 2, 1, 1)


def test_a_result_survives_json(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"instruction": "a", "output": "b"}\n{"instruction": 1}')
    result = check([RowSource(path="a.jsonl")], tmp_path)
    assert CheckResult.model_validate_json(result.model_dump_json()) == result


def test_an_answer_outside_the_given_choices_is_a_fault_of_its_row(tmp_path):
    rows = [{"text": "fine", "label": "good"}, {"text": "so so", "label": "godo"}, {"text": "dire", "label": "bad"}]
    file = one(tmp_path, *rows, choices=["good", "bad"])
    assert [str(fault) for fault in file.faults] == [
        "a.jsonl:2: output: found the answer \"godo\"; expected one of the choices good, bad; nearest: 'good'"
    ]
    assert file.choices == {"a": ("good", "bad")}


def test_a_set_that_one_source_lists_holds_for_the_task_in_every_source(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "fine", "label": "good"}')
    (tmp_path / "b.jsonl").write_text('{"text": "dire", "label": "bad"}\n{"text": "odd", "label": "weird"}')
    listed = RowSource(path="a.jsonl", task="mood", choices=["good", "bad"])
    first, second = check([listed, RowSource(path="b.jsonl", task="mood")], tmp_path).files
    assert (first.faults, [fault.row for fault in second.faults]) == ((), ["b.jsonl:2"])
    assert first.choices == second.choices == {"mood": ("good", "bad")}


def test_a_closed_set_is_found_over_all_files_of_a_task(tmp_path):
    for name, label in (("a", "yes"), ("b", "no")):
        lines = [json.dumps({"text": f"{name}{n}", "label": label}) for n in range(10)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    files = check([RowSource(path="*.jsonl", task="t")], tmp_path).files
    assert [file.choices for file in files] == [{"t": ("no", "yes")}] * 2


@pytest.fixture(scope="module")
def files():
    result = check([RowSource(path=["instructions/*.json*", "tasks/*.json*"])], SHARED)
    return {Path(file.path).name: file for file in result.files}


@pytest.mark.usefixtures("shared_data")  # skipped without them, but a failure where everything has to be tested
class TestRealFiles:
    def test_every_file_is_read_and_no_row_is_wrong(self, files):
        expected = {path.name for folder in ("instructions", "tasks") for path in (SHARED / folder).glob("*.json*")}
        assert set(files) == expected
        assert {name: (file.error, file.faults) for name, file in files.items() if file.error or file.faults} == {}

    def test_every_row_is_an_example_or_named_as_empty(self, files):
        for file in files.values():
            assert file.num_examples + len(file.empty_rows) == file.num_rows

    @pytest.mark.parametrize(
        ("name", "layout", "num_rows", "num_several", "num_empty"),
        [
            ("alpaca_en_10k.jsonl", "alpaca", 10_000, 0, 3),
            ("alpaca_zh_10k.jsonl", "alpaca", 10_000, 0, 5),
            ("alpaca_zh_checked_3k.jsonl", "alpaca", 3_247, 0, 4),
            ("chatterbot_zh_en.jsonl", "alpaca", 1_123, 201, 0),
            ("belle_zh_seed_tasks.json", "self_instruct", 175, 0, 0),
            ("pclue_train_9.jsonl", "belle", 705, 0, 0),
            ("task748_glucose_reverse_cause_event_detection.json", "natural_instructions", 1_100, 246, 0),
            ("task129_scan_long_text_generation_action_command_short.json", "natural_instructions", 800, 800, 0),
        ],
    )
    def test_figures_that_their_readme_states(self, files, name, layout, num_rows, num_several, num_empty):
        file = files[name]
        found = (file.format, file.num_rows, file.num_with_several_outputs, len(file.empty_rows))
        assert found == (layout, num_rows, num_several, num_empty)

    def test_splits_that_the_tasks_name_are_kept(self, files):
        assert files["task875_emotion_classification.json"].splits == {"train": 1_000, "test": 100}

    def test_answers_that_are_none_of_their_own_choices_are_counted(self, files):
        file = files["pclue_train_9.jsonl"]
        assert (file.num_with_own_choices, file.num_answers_not_among_own_choices) == (621, 32)
