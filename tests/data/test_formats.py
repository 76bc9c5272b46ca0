"""What is particular to each format."""

from typing import ClassVar

import pytest

from instructglm.config.data import RowSource
from instructglm.core.records import Example, Fault, Message, Output, Split
from instructglm.data.formats import FORMATS, detect
from instructglm.data.prompts import user_text
from instructglm.data.records import EmptyRow, Row


def read(name, value, **source):
    return list(FORMATS[name].read(Row("a.jsonl:1", value), RowSource(path="a", **source), "task"))


def only(name, value, **source) -> Example:
    (example,) = read(name, value, **source)
    assert isinstance(example, Example), example
    return example


def talk(*turns):
    roles = {"s": "system", "u": "user", "a": "assistant"}
    return {"messages": [{"role": roles[turn[0]], "content": turn[1:]} for turn in turns]}


def contents(example):
    return [f"{message.role[0]}{message.content}" for message in example.messages]


class TestOutputs:
    @pytest.mark.parametrize("name", ["output", "outputs"])
    def test_a_list_is_several_outputs(self, name):
        example = only("alpaca", {"instruction": "a", name: ["b", "c"]})
        assert example.references == ("b", "c")

    def test_objects_carry_weight_or_rating_and_annotator(self):
        outputs = [{"text": "b", "weight": 2}, {"text": "c", "rating": 4.5, "annotator": "ann"}, "d"]
        assert only("alpaca", {"instruction": "a", "output": outputs}).outputs == (
            Output(text="b", weight=2.0),
            Output(text="c", weight=4.5, annotator="ann", ratings=(4.5,)),
            Output(text="d"),
        )

    def test_several_people_may_rate_one_output(self):
        outputs = [{"text": "b", "rating": [5, 2.5]}, {"text": "c", "rating": [], "weight": 3}]
        assert only("alpaca", {"instruction": "a", "output": outputs}).outputs == (
            Output(text="b", weight=3.75, ratings=(5.0, 2.5)),
            Output(text="c", weight=3.0),
        )

    def test_every_wrong_number_is_named(self):
        output = {"text": "b", "weight": -1, "rating": [4, "5", 0]}
        faults = read("alpaca", {"instruction": "a", "output": output})
        assert [fault.field for fault in faults] == ["output.weight", "output.rating[1]", "output.rating[2]"]

    @pytest.mark.parametrize(
        ("output", "field", "found"),
        [
            ([1, "b"], "output[0]", "the number 1"),
            (["b", None], "output[1]", "null"),
            (["b", ["c"]], "output[1]", "a list of 1"),
            ({"text": "b", "weight": "0.5"}, "output.weight", '"0.5"'),
            ({"text": "b", "weight": -1}, "output.weight", "the number -1"),
            ({"text": "b", "rating": 0}, "output.rating", "the number 0"),
            ({"text": "b", "annotator": 7}, "output.annotator", "the number 7"),
            ({"txt": "b"}, "output", "an object with txt"),
            ({"text": "b", "score": 1}, "output", "an object with text, score"),
        ],
    )
    def test_what_is_no_output_is_named(self, output, field, found):
        (fault,) = read("alpaca", {"instruction": "a", "output": output})
        assert (fault.row, fault.field, fault.found) == ("a.jsonl:1", field, found)

    def test_a_blank_output_among_good_ones_is_named_and_the_others_stay(self):
        empty, example = read("alpaca", {"instruction": "a", "outputs": ["b", " \n", "c", ""]})[1:]
        assert empty == EmptyRow("a.jsonl:1", "outputs[3]")
        assert example.references == ("b", "c")

    @pytest.mark.parametrize("output", ["", "  ", [], ["", "\n"], {"text": " "}])
    def test_nothing_but_blank_outputs_is_an_empty_row(self, output):
        assert read("alpaca", {"instruction": "a", "output": output}) == [EmptyRow("a.jsonl:1", "output")]


class TestAlpaca:
    def test_all_faults_of_a_row_at_once(self):
        faults = read("alpaca", {"instruction": 1, "input": 2, "output": None, "system": 3})
        assert [fault.field for fault in faults] == ["instruction", "input", "system", "output"]

    def test_missing_fields_name_the_keys_and_a_likely_slip(self):
        first, second = read("alpaca", {"instrution": "a", "text": "b"})
        assert first.found == "no such key; the row has instrution, text (is 'instrution' meant?)"
        assert second.field == "output"

    @pytest.mark.parametrize("given", [{}, {"input": None}, {"input": ""}, {"input": " "}])
    def test_no_input_leaves_the_instruction_alone(self, given):
        assert contents(only("alpaca", {"instruction": "a", "output": "b", **given})) == ["ua"]

    def test_system_and_history_come_before_the_prompt(self):
        row = {"instruction": "c", "input": "d", "output": "e", "system": "s", "history": [["a", "b"]]}
        note, example = read("alpaca", row)
        assert contents(example) == ["ss", "ua", "ab", "uc\n\nd"]
        assert (note.reason, note.action) == ("unused", "cut")  # the earlier answer is read, not trained on

    @pytest.mark.parametrize("history", [["a"], [["a", "b", "c"]], [["a", None]], 3])
    def test_a_history_that_is_no_pairs(self, history):
        (fault,) = read("alpaca", {"instruction": "c", "output": "e", "history": history})
        assert fault.field == "history[0]"

    @pytest.mark.parametrize("instruction", ["", " \n"])
    def test_a_blank_prompt_is_an_empty_row_whatever_the_source_adds(self, instruction):
        row = {"instruction": instruction, "output": "b"}
        assert read("alpaca", row, instruction="Do it.") == [EmptyRow("a.jsonl:1", "instruction")]

    def test_small_fields_go_on_as_metadata(self):
        row = {"instruction": "a", "output": "b", "lang": "zh", "n": 3, "tags": ["x"], "none": None, "long": "y" * 500}
        assert only("alpaca", row).metadata == {"lang": "zh", "n": 3, "tags": ["x"]}


class TestBelle:
    def test_each_row_has_its_own_choices(self):
        row = {"input": "a", "target": "是", "answer_choices": ["是", "不是", "是"], "type": "nli"}
        example = only("belle", row)
        assert (example.choices, example.metadata) == (("是", "不是"), {"type": "nli"})

    @pytest.mark.parametrize("choices", ["", None, []])
    def test_no_choices(self, choices):
        assert only("belle", {"input": "a", "target": "b", "answer_choices": choices}).choices == ()

    def test_a_target_that_is_no_choice_makes_an_open_question_and_says_so(self):
        example = only("belle", {"input": "a", "target": "电竞", "answer_choices": ["游戏", "体育"]})
        assert (example.choices, example.metadata) == ((), {"answer_not_among_choices": True})

    def test_choices_that_are_no_texts(self):
        (fault,) = read("belle", {"input": "a", "target": "b", "answer_choices": [1, 2]})
        assert fault.field == "answer_choices"


class TestConversations:
    def test_ends_before_the_last_answer(self):
        note, example = read("messages", talk("sbe kind", "uhi", "ahello", "ubye", "asee you"))
        assert (note.row, note.reason, note.action) == ("a.jsonl:1", "unused", "cut")
        assert note.detail.startswith("1 earlier answers")
        assert contents(example) == ["sbe kind", "uhi", "ahello", "ubye"]
        assert example.references == ("see you",)

    def test_a_question_after_the_last_answer_is_noted(self):
        empty, example = read("messages", talk("uhi", "ahello", "uand now?"))
        assert empty == EmptyRow("a.jsonl:1", "messages[2]")
        assert contents(example) == ["uhi"]

    def test_outputs_of_its_own_answer_the_whole_conversation(self):
        _, example = read("messages", {**talk("uhi", "ahello", "ubye"), "outputs": ["ciao", "bye"]})
        assert contents(example) == ["uhi", "ahello", "ubye"]
        assert example.references == ("ciao", "bye")

    def test_outputs_after_an_answer(self):
        (fault,) = read("messages", {**talk("uhi", "ahello"), "outputs": ["bye"]})
        assert fault.found == "a last turn of assistant"

    @pytest.mark.parametrize(
        ("turns", "field", "found"),
        [
            (["uhi", "uhi", "ayes"], "messages[1]", "a turn of user after a turn of user"),
            (["uhi", "ayes", "ayes"], "messages[2]", "a turn of assistant after a turn of assistant"),
            (["ayes", "uhi", "ayes"], "messages[0]", "a turn of assistant at the start"),
            (["uhi", "sbe kind", "ayes"], "messages[1]", "a turn of system after a turn of user"),
            (["uhi"], "messages", "1 turn(s), none of the assistant"),
        ],
    )
    def test_turns_out_of_turn(self, turns, field, found):
        (fault,) = read("messages", talk(*turns))
        assert (fault.field, fault.found) == (field, found)

    @pytest.mark.parametrize(
        ("turn", "field", "found"),
        [
            ({"role": "tool", "content": "x"}, "messages[1].role", '"tool"'),
            ({"content": "x"}, "messages[1].role", "null"),
            ({"role": "assistant", "content": None}, "messages[1].content", "null"),
            ({"role": "assistant", "content": 5}, "messages[1].content", "the number 5"),
            ({"role": "assistant", "content": [{"type": "image_url"}]}, "messages[1].content", "a list of 1"),
            ("x", "messages[1]", '"x"'),
        ],
    )
    def test_turns_that_are_none(self, turn, field, found):
        (fault,) = read("messages", {"messages": [{"role": "user", "content": "hi"}, turn]})
        assert (fault.field, fault.found) == (field, found)

    def test_content_in_parts(self):
        parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
        row = {"messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": "c"}]}
        assert contents(only("messages", row)) == ["uab"]

    def test_a_blank_answer_is_an_empty_row(self):
        assert read("messages", talk("uhi", "a ")) == [EmptyRow("a.jsonl:1", "messages")]

    def test_no_turns_is_an_empty_row(self):
        assert read("messages", {"messages": []}) == [EmptyRow("a.jsonl:1", "messages")]

    @pytest.mark.parametrize("names", [("human", "gpt"), ("user", "assistant"), ("Human", "GPT")])
    def test_sharegpt_has_its_own_words(self, names):
        turns = [{"from": names[0], "value": "hi"}, {"from": names[1], "value": "yes"}]
        example = only("sharegpt", {"system": "be kind", "conversations": turns})
        assert (contents(example), example.references) == (["sbe kind", "uhi"], ("yes",))

    def test_the_rows_own_system_message_stands_before_the_sources(self):
        example = only("messages", talk("sbe kind", "uhi", "ayes"), system="be short")
        assert contents(example) == ["sbe kind", "uhi"]


class TestTable:
    @pytest.mark.parametrize(
        ("prompt", "output"),
        [("prompt", "completion"), ("question", "answer"), ("query", "response"), ("text", "label")],
    )
    def test_usual_names(self, prompt, output):
        example = only("table", {prompt: "a", output: "b", "id": "7"})
        assert (contents(example), example.references, example.metadata) == (["ua"], ("b",), {"id": "7"})

    def test_named_columns(self):
        row = {"prompt": "no", "frage": "a", "antwort": "b"}
        example = only("table", row, prompt_column="frage", output_column="antwort")
        assert (contents(example), example.references) == (["ua"], ("b",))

    def test_context_comes_after_the_prompt(self):
        assert contents(only("table", {"prompt": "a", "context": "b", "response": "c"})) == ["ua\n\nb"]

    def test_a_number_as_label_is_named(self):
        (fault,) = read("table", {"text": "a", "label": 1})
        assert (fault.field, fault.found) == ("label", "the number 1")

    @pytest.mark.parametrize(("split", "meant"), [("dev", Split.VALIDATION), ("TEST", Split.TEST), ("banana", None)])
    def test_a_split_column(self, split, meant):
        assert only("table", {"text": "a", "label": "b", "split": split}).split is meant


class TestNaturalInstructions:
    def task(self, *instances, **more):
        return {"Definition": ["Say it."], "Instances": list(instances), **more}

    @pytest.mark.parametrize("definition", ["Say it.", ["Say it."], ["Say it.", "Speak."]])
    @pytest.mark.parametrize("output", ["c", ["c"]])
    def test_text_or_list(self, definition, output):
        row = self.task({"id": "x", "input": "b", "output": output}, Categories="Talk") | {"Definition": definition}
        example = only("natural_instructions", row)
        assert contents(example) == ["uSay it.\n\nb"]
        assert example.references == ("c",)
        assert example.metadata == {"id": "x", "categories": ["Talk"]}
        assert example.row == "a.jsonl:1[0]"

    @pytest.mark.parametrize(
        ("name", "split"),
        [("train", Split.TRAIN), ("test", Split.TEST), ("validation", Split.VALIDATION), ("dev", Split.VALIDATION),
         ("valid", Split.VALIDATION), (None, None)],
    )  # fmt: skip
    def test_its_own_split_is_kept(self, name, split):
        assert only("natural_instructions", self.task({"input": "b", "output": "c", "split": name})).split is split

    def test_bad_instances_are_named_one_by_one(self):
        instances = [{"input": "a", "output": ["b"]}, {"input": 1, "output": []}, "x", {"input": "", "output": "b"}]
        bad_split = {"input": "a", "output": "b", "split": "banana"}
        good, number, text, blank, split = read("natural_instructions", self.task(*instances, bad_split))
        assert isinstance(good, Example)
        assert (number.row, number.field, number.found) == ("a.jsonl:1[1]", "input", "the number 1")
        assert (text.row, text.found) == ("a.jsonl:1[2]", '"x"')
        assert blank == EmptyRow("a.jsonl:1[3]", "input")
        assert (split.row, split.field) == ("a.jsonl:1[4]", "split")

    @pytest.mark.parametrize("definition", [None, [], [""], 3, " "])
    def test_no_definition(self, definition):
        (fault,) = read("natural_instructions", {"Definition": definition, "Instances": []})
        assert fault.field == "Definition"


class TestSelfInstruct:
    def test_one_example_an_instance(self):
        instances = [{"input": "", "output": "b"}, {"input": "c", "output": "d"}]
        first, second = read("self_instruct", {"id": "s", "instruction": "a", "instances": instances})
        assert (first.row, contents(first), first.references) == ("a.jsonl:1[0]", ["ua"], ("b",))
        assert (second.row, contents(second), second.metadata) == ("a.jsonl:1[1]", ["ua\n\nc"], {"id": "s"})

    def test_an_instance_that_is_none(self):
        (fault,) = read("self_instruct", {"instruction": "a", "instances": ["x"]})
        assert isinstance(fault, Fault)


class TestSnapshot:
    row: ClassVar[dict[str, object]] = {
        "id": "1", "task": "t", "messages": [{"role": "user", "content": "a"}], "outputs": [{"text": "b"}],
        "group": "document-7", "row": "raw.jsonl:1",
    }  # fmt: skip

    def test_comes_back_as_it_was_written(self):
        example = only("snapshot", self.row)
        assert (example.id, example.task, example.group, example.row) == ("1", "t", "document-7", "raw.jsonl:1")

    def test_another_task_gives_another_id_and_keeps_the_document(self):
        example = only("snapshot", self.row, task="u")
        assert (example.task, example.group) == ("u", "document-7")
        assert example.id != "1"

    def test_every_wrong_field_is_named(self):
        faults = read("snapshot", {**self.row, "task": 3, "outputs": [{"text": None}], "extra": 1})
        assert {(fault.field, fault.found) for fault in faults} == {
            ("task", "the number 3"), ("outputs.0.text", "null"), ("extra", "the number 1"),
        }  # fmt: skip

    @pytest.mark.parametrize(("field", "value"), [("outputs", []), ("outputs", [{"text": " "}]), ("messages", [])])
    def test_nothing_to_learn(self, field, value):
        assert read("snapshot", {**self.row, field: value}) == [EmptyRow("a.jsonl:1", field)]


def test_instruction_and_input_are_joined_by_a_blank_line():
    assert user_text("a", "b") == "a\n\nb"
    assert user_text(None, "b") == user_text("", "b") == user_text("b", None) == user_text("b", " ") == "b"


def test_messages_are_equal_records():
    assert only("alpaca", {"instruction": "a", "output": "b"}).messages == (Message(role="user", content="a"),)


class TestTableBesideInstruction:
    @pytest.mark.parametrize("output_column", ["response", "target", "completion", "label"])
    def test_what_the_instruction_is_about_is_not_lost(self, output_column):
        row = {"instruction": "Translate to French.", "input": "Good day.", output_column: "Bonjour."}
        assert detect([row], "a.jsonl") == "table"
        assert contents(only("table", row)) == ["uTranslate to French.\n\nGood day."]
