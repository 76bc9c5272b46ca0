"""Closed sets of answers are found where they are, and held to."""

from pathlib import Path

import pytest

from instructglm.config.data import RowSource
from instructglm.core.records import Example, Fault, Message, Output, example_id, prompt_hash
from instructglm.data.choices import apply_choices, find_choices, separate_open, settle_choices
from instructglm.data.sources import read_source

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def example(number: int, *outputs: str, task: str = "t", choices: tuple[str, ...] = ()) -> Example:
    messages = (Message(role="user", content=f"question {number}"),)
    return Example(
        id=example_id(task, messages), task=task, messages=messages, choices=choices, group=prompt_hash(messages),
        outputs=tuple(Output(text=text) for text in outputs), row=f"a.jsonl:{number}",
    )  # fmt: skip


def labelled(num_examples: int, *labels: str, task: str = "t") -> list[Example]:
    return [example(number, labels[number % len(labels)], task=task) for number in range(num_examples)]


def test_few_short_answers_that_repeat_are_a_closed_set_whatever_their_order():
    examples = labelled(24, "neutral", "bad", "good")
    assert find_choices(examples) == find_choices(examples[::-1]) == ("bad", "good", "neutral")


def test_outer_blanks_make_no_new_choice():
    assert find_choices(labelled(24, "good", " good", "bad\n")) == ("bad", "good")


@pytest.mark.parametrize(
    "examples",
    [
        pytest.param([], id="no examples"),
        pytest.param(labelled(40, "yes"), id="one answer"),
        pytest.param(labelled(15, "yes", "no"), id="fewer than eight for each"),
        pytest.param(labelled(650, *map(str, range(65))), id="more than 64"),
        pytest.param(labelled(40, "yes", "x" * 61), id="sentences"),
        pytest.param(labelled(40, "yes", "no\nbecause"), id="several lines"),
        pytest.param(
            [*labelled(40, "yes", "no"), example(41, "yes", "no"), example(42, "no", "yes")], id="several outputs"
        ),
        pytest.param([example(n, "yes", choices=("yes", "no")) for n in range(40)], id="choices of their own"),
    ],
)
def test_an_open_task_has_no_choices(examples):
    assert find_choices(examples) == ()


def test_a_rare_second_output_from_the_set_leaves_the_task_closed():
    assert find_choices([*labelled(200, "yes", "no"), example(999, "yes", "no")]) == ("no", "yes")
    assert find_choices([*labelled(200, "yes", "no"), example(999, "yes", "perhaps")]) == ()


def test_a_label_that_is_no_choice_is_named_with_row_choices_and_the_nearest():
    good, fault = apply_choices([example(1, "joy"), example(2, "Saddness")], ["joy", "sadness"])
    assert good.choices == ("joy", "sadness")
    assert fault == Fault(
        row="a.jsonl:2", field="output", found='the answer "Saddness"',
        expected="one of the choices joy, sadness; nearest: 'sadness'",
    )  # fmt: skip


def test_many_choices_are_listed_in_part():
    (fault,) = apply_choices([example(1, "?")], [f"label {n}" for n in range(52)])
    assert "label 11 and 40 more" in fault.expected
    assert "nearest" not in fault.expected


def test_outer_blanks_of_an_output_are_taken_off():
    (applied,) = apply_choices([example(1, " joy\n")], ["joy"])
    assert applied.references == ("joy",)


def test_choices_of_a_row_stay():
    own = example(1, "yes", choices=("yes", "no"))
    assert apply_choices([own], ["joy"]) == [own]


def test_no_choices_change_nothing():
    assert apply_choices([example(1, "joy")], ()) == [example(1, "joy")]


def test_a_task_is_settled_over_all_files_it_comes_from():
    examples = [
        *labelled(20, "good", task="mood"),
        *labelled(20, "bad", task="mood"),
        *labelled(20, "a", "b", task="open"),
    ]
    settled, faults = settle_choices(examples, {"open": "none"})
    assert [each.choices for each in settled] == [("bad", "good")] * 40 + [()] * 20
    assert not faults


def test_given_choices_hold_for_their_task_only():
    examples = [example(1, "x", task="a"), example(2, "x", task="b"), example(3, "y", task="b")]
    settled, faults = settle_choices(examples, {"b": ["x", "z"]})
    assert [(each.task, each.choices) for each in settled] == [("a", ()), ("b", ("x", "z"))]
    assert [fault.row for fault in faults] == ["a.jsonl:3"]


@pytest.mark.usefixtures("shared_data")  # skipped without them, but a failure where everything has to be tested
@pytest.mark.parametrize(
    ("name", "num_choices"),
    [
        ("tasks/task875_emotion_classification.json", 6),
        ("tasks/task073_commonsenseqa_answer_generation.json", 5),
        ("tasks/task143_odd-man-out_classification_generate_category.json", 52),
        ("tasks/fewclue_eprstmt.json", 2),
        ("tasks/fewclue_tnews.json", 15),
        ("tasks/fewclue_ocnli.json", 3),
        ("tasks/instruction_induction_antonyms.json", 0),
        ("tasks/task591_sciq_answer_generation.json", 0),
        ("tasks/task748_glucose_reverse_cause_event_detection.json", 0),
        ("tasks/task1290_xsum_summarization.json", 0),
        ("tasks/task129_scan_long_text_generation_action_command_short.json", 0),
        ("tasks/pclue_train_9.jsonl", 0),
        ("instructions/alpaca_zh_checked_3k.jsonl", 0),
        ("instructions/dolly_3k.jsonl", 0),
        ("instructions/chatterbot_zh_en.jsonl", 0),
    ],
)
def test_real_tasks_are_told_apart(name, num_choices):
    assert len(find_choices(read_source(RowSource(path=name), SHARED).examples)) == num_choices


def test_open_questions_of_a_closed_task_become_a_task_of_their_own():
    closed = example(1, "x", task="a").model_copy(update={"choices": ("x", "y")})
    open_one, other = example(2, "z", task="a"), example(3, "z", task="b")
    apart = separate_open([closed, open_one, other])
    assert [one.task for one in apart] == ["a", "a-open", "b"]
    assert [one.id for one in apart] == [closed.id, example_id("a-open", open_one.messages), other.id]
