"""Normalising and merging: texts keep their meaning, outputs are gathered, and every row is accounted for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructglm.core.ledger import Ledger
from instructglm.core.records import Example, Message, Output, Split, example_id, prompt_hash
from instructglm.data.transforms.exact_duplicates import merge_equal_prompts
from instructglm.data.transforms.normalise import normalise, normalise_text


def example(prompt: str, *outputs: str, row: str = "f:1", choices: tuple[str, ...] = (), group: str = "") -> Example:
    messages = (Message(role="user", content=prompt),)
    return Example(
        id=example_id("t", messages),
        task="t",
        messages=messages,
        outputs=tuple(Output(text=text) for text in outputs),
        choices=choices,
        group=group or prompt_hash(messages),
        row=row,
    )


@given(st.text())
def test_normalising_twice_is_normalising_once(text):
    once = normalise_text(text)
    assert normalise_text(once) == once


@pytest.mark.parametrize(
    "text",
    ["你好，世界！“引号”（全角）ＡＢＣ", "naïve café", "a\tb\n\nc", "👩\u200d👩\u200d👧 family", "ﷺ", "½ ² ™"],
)
def test_text_that_means_something_stays(text):
    assert normalise_text(text) == text


def test_line_ends_invisible_characters_and_outer_blanks_go():
    assert normalise_text("\ufeff a\u200bb\r\nc\rd\x00 \n") == "ab\nc\nd"


def test_example_of_which_nothing_is_left_is_noted_as_empty():
    ledger = Ledger()
    rows = [example("\u200b ", "x", row="f:1"), example("q", "\ufeff", row="f:2"), example("q", " ", "y", row="f:3")]
    (kept,) = normalise(rows, ledger)
    assert kept.references == ("y",)
    assert [(entry.row, entry.reason, entry.action) for entry in ledger.entries] == [
        ("f:1", "empty", "dropped"),
        ("f:2", "empty", "dropped"),
        ("f:3", "empty", "cut"),
    ]


def test_normalised_twins_get_one_id_and_keep_a_document_group():
    first, second = normalise([example("a  b", "x"), example(" a  b\r\n", "x", group="doc")], Ledger())
    assert first.id == second.id
    assert first.group == prompt_hash(first.messages)
    assert second.group == "doc"


def test_outputs_of_equal_prompts_are_gathered_in_order_and_each_repetition_is_noted():
    ledger = Ledger()
    rows = [
        example("q", "one", "two", row="f:1"),
        example("other", "x", row="f:2"),
        example("q", "two", "three", row="f:3"),
        example("q", "one", row="f:4"),
    ]
    merged = merge_equal_prompts(rows, ledger)
    assert [one.references for one in merged] == [("one", "two", "three"), ("x",)]
    assert [(entry.row, entry.reason, entry.action) for entry in ledger.entries] == [
        ("f:3", "duplicate", "cut"),
        ("f:4", "duplicate", "dropped"),
    ]
    assert "'two'" in ledger.entries[0].detail
    assert "f:1" in ledger.entries[1].detail


def test_output_repeated_within_a_row_is_kept_once_and_noted():
    ledger = Ledger()
    (merged,) = merge_equal_prompts([example("q", "same", "same", "else")], ledger)
    assert merged.references == ("same", "else")
    assert ledger.counts() == {"duplicate": 1}


def test_output_that_several_annotators_gave_weighs_more_and_is_no_duplicate():
    ledger = Ledger()
    given = [Output(text="same", annotator=name) for name in ("ann", "bo", "ann")]
    rows = [example("q", "x", row=f"f:{n}").model_copy(update={"outputs": (one,)}) for n, one in enumerate(given)]
    (merged,) = merge_equal_prompts(rows[:2], ledger)
    assert [(output.weight, output.annotator) for output in merged.outputs] == [(2.0, "ann, bo")]
    assert len(ledger) == 0


def test_row_that_names_no_split_joins_its_twin_that_does():
    ledger = Ledger()
    rows = [example("q", "a", row="f:1"), example("q", "b", row="f:2").model_copy(update={"split": Split.TRAIN})]
    (merged,) = merge_equal_prompts(rows, ledger)
    assert (merged.references, merged.split) == (("a", "b"), Split.TRAIN)


def test_rows_that_answer_a_closed_question_differently_all_go():
    ledger = Ledger()
    rows = [
        example("q", "yes", row="f:1", choices=("yes", "no")),
        example("q", "no", row="f:2", choices=("yes", "no")),
        example("p", "no", row="f:3", choices=("yes", "no")),
        example("p", "no", row="f:4", choices=("yes", "no")),
    ]
    (kept,) = merge_equal_prompts(rows, ledger)
    assert kept.row == "f:3"
    assert ledger.counts() == {"conflict": 2, "duplicate": 1}
    assert ledger.entries[0].detail == "answers 'yes', but f:2 answers otherwise ('no')"


def test_conflict_names_a_row_that_really_differs_and_stays_short():
    ledger = Ledger()
    answers = ["yes", "yes", *["no"] * 500]
    rows = [example("q", answer, row=f"f:{n}", choices=("yes", "no")) for n, answer in enumerate(answers)]
    assert merge_equal_prompts(rows, ledger) == []
    assert ledger.entries[0].detail == "answers 'yes', but f:2 and 499 more answers otherwise ('no')"
    assert ledger.entries[2].detail == "answers 'no', but f:0 and 1 more answers otherwise ('yes')"
