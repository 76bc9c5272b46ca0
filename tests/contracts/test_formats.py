"""Every format that is listed keeps the same promises."""

import json
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructglm.config.data import RowSource
from instructglm.core.errors import DataError
from instructglm.core.records import Example, Fault, Message, Output, Rating, Split, example_id, prompt_hash
from instructglm.data.formats import FORMATS, detect, require
from instructglm.data.records import EmptyRow, Row
from instructglm.data.sources import read_source

PROMPT = (Message(role="user", content="Which planet is red?"),)
SNAPSHOT = Example(
    id=example_id("planets", PROMPT),
    task="planets",
    messages=PROMPT,
    outputs=(Output(text="Mars", weight=0.5, annotator="ann"), Output(text="火星")),
    choices=("Mars", "火星"),
    group=prompt_hash(PROMPT),
    split=Split.TEST,
    row="raw/a.jsonl:3",
    ratings=(Rating(annotator="ann", value=-1.5),),
    metadata={"lang": "en", "ids": [1, 2], "deep": {"a": None}},
)

# for each format a sound row, the field that holds its output, and the field that holds its prompt
SAMPLES: dict[str, tuple[dict[str, Any], str]] = {
    "alpaca": ({"instruction": "Translate.", "input": "你好", "output": "Hello", "lang": "zh"}, "output"),
    "belle": ({"input": "你好", "target": "Hello"}, "target"),
    "sharegpt": (
        {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]},
        "conversations",
    ),
    "messages": (
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes"}]},
        "messages",
    ),
    "table": ({"prompt": "Hi", "completion": "Hello"}, "completion"),
    "natural_instructions": (
        {"Definition": ["Say"], "Instances": [{"id": "a", "input": "b", "output": ["c"]}]},
        "Instances",
    ),
    "self_instruct": ({"instruction": "Say", "instances": [{"input": "a", "output": "b"}]}, "instances"),
    "snapshot": (SNAPSHOT.model_dump(mode="json"), "outputs"),
}
SOURCE = RowSource(path="a")
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def read(name: str, value: dict[str, Any], source: RowSource = SOURCE) -> list[Any]:
    return list(FORMATS[name].read(Row("a.jsonl:1", value), source, "task"))


def test_every_format_has_a_sample_and_a_name_in_the_configuration():
    assert set(SAMPLES) == set(FORMATS)
    named = set(get_args(RowSource.model_fields["format"].annotation))
    assert named == {*FORMATS, "auto", "lines", "conversations"}
    assert all(name == known.name for name, known in FORMATS.items())


@pytest.mark.parametrize("name", FORMATS)
class TestEveryFormat:
    def test_is_detected_by_its_rows(self, name):
        assert detect([SAMPLES[name][0]] * 3, "a") == name

    def test_reads_a_sound_row_to_examples(self, name):
        examples = read(name, SAMPLES[name][0])
        assert examples
        assert all(isinstance(example, Example) for example in examples)

    def test_ids_and_groups_follow_from_task_and_prompt(self, name):
        for example in read(name, SAMPLES[name][0]):
            assert example.id == example_id(example.task, example.messages)
            assert example.group == prompt_hash(example.messages)

    def test_examples_survive_json(self, name):
        for example in read(name, SAMPLES[name][0]):
            assert Example.model_validate_json(example.model_dump_json()) == example

    def test_puts_the_sources_instruction_and_system_message_before_the_prompt(self, name):
        (plain,), (framed,) = (
            read(name, SAMPLES[name][0], source)
            for source in (SOURCE, RowSource(path="a", instruction="Be short.", system="You are kind."))
        )
        assert framed.messages[0] == Message(role="system", content="You are kind.")
        assert framed.messages[1].content == f"Be short.\n\n{plain.messages[0].content}"
        assert framed.id == example_id(framed.task, framed.messages)
        assert framed.outputs == plain.outputs

    @pytest.mark.parametrize("value", [None, 3, True])
    def test_names_the_field_that_is_no_text(self, name, value):
        good, field = SAMPLES[name]
        faults = read(name, {**good, field: value})
        assert faults
        for fault in faults:
            assert isinstance(fault, Fault)
            assert fault.row.startswith("a.jsonl:1")
            assert fault.field.startswith(field)
            assert fault.found == {None: "null", 3: "the number 3", True: "true"}[value]

    def test_names_a_field_that_is_missing(self, name):
        good, field = SAMPLES[name]
        results = read(name, {key: value for key, value in good.items() if key != field})
        assert results
        assert all(isinstance(result, Fault) for result in results)

    @settings(max_examples=60, deadline=None)
    @given(data=st.data())
    def test_never_crashes_and_never_loses_a_row(self, name, data):
        good, _ = SAMPLES[name]
        key = data.draw(st.sampled_from(sorted(good)))
        results = read(name, {**good, key: data.draw(anything)})
        assert results
        assert all(isinstance(result, Example | Fault | EmptyRow) for result in results)

    def test_reads_the_same_from_an_array_and_from_lines(self, name, tmp_path):
        rows = [SAMPLES[name][0]] * 2
        (tmp_path / "lines.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        (tmp_path / "array.json").write_text(json.dumps(rows), encoding="utf-8")
        lines, array = (
            read_source(RowSource(path=path, task="t"), tmp_path).examples for path in ("lines.jsonl", "array.json")
        )
        assert len(lines) >= 2
        assert [(each.id, each.outputs) for each in lines] == [(each.id, each.outputs) for each in array]


class TestDetection:
    def test_most_rows_decide(self):
        good = SAMPLES["alpaca"][0]
        assert detect([good, {"odd": 1}], "a") == "alpaca"
        for others in ([{"odd": 1}, {"odd": 2}], [SAMPLES["messages"][0]]):
            with pytest.raises(DataError, match="no known layout"):
                detect([good, *others], "a")

    def test_unknown_keys_list_what_was_found_and_what_each_format_needs(self):
        with pytest.raises(DataError) as caught:
            detect([{"foo": 1, "bar": 2}], "raw/a.json")
        message = str(caught.value)
        assert "raw/a.json: no known layout: the rows have the keys foo, bar" in message
        assert all(f"{name} needs" in message for name in FORMATS)
        assert "prompt_column" in message

    def test_a_slip_in_a_key_is_guessed(self):
        with pytest.raises(DataError, match="'instrution' may be meant for 'instruction'"):
            detect([{"instrution": "a", "output": "b"}], "a")

    def test_a_table_without_header_is_suspected(self):
        with pytest.raises(DataError, match="put a header line"):
            detect([{"What is the capital of France, and why is it so?": "b", "Paris": "c"}], "a")

    def test_a_named_format_that_no_row_is_in_is_one_message(self):
        with pytest.raises(DataError, match="the rows have the keys messages; the alpaca format needs instruction"):
            require("alpaca", [SAMPLES["messages"][0]] * 5, "a")
