import runpy
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructglm.evaluation.extract import extract_choice

CASES = runpy.run_path(str(Path(__file__).with_name("extraction_cases.py")))["CASES"]
LETTERS = ("A", "B", "C", "D")


@pytest.mark.parametrize(("reply", "choices", "wanted"), CASES)
def test_reads_what_the_reply_commits_to(reply, choices, wanted):
    assert extract_choice(reply, choices) == wanted


def test_the_list_is_large_half_chinese_and_has_both_kinds():
    kinds = Counter((any("\u4e00" <= char <= "\u9fff" for char in reply), wanted is None) for reply, _, wanted in CASES)
    assert sum(kinds.values()) >= 120
    assert all(kinds[chinese, silent] >= 40 for chinese in (True, False) for silent in (True, False))


@given(st.text(max_size=80), st.sampled_from([LETTERS, ("positive", "negative"), ("是", "否"), ("1", "2"), ("", "x")]))
def test_any_text_gives_a_choice_or_none(reply, choices):
    assert extract_choice(reply, choices) in {*choices, None}


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8), min_size=1, max_size=6))
def test_a_choice_repeated_exactly_is_read_as_itself(choices):
    choices = [choice.strip() for choice in choices if choice.strip()]
    assert [extract_choice(f" {choice}\n", choices) for choice in choices] == choices


@pytest.mark.parametrize("choices", [LETTERS, ("positive", "negative", "neutral"), ("积极", "消极", "中立")])
@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        "{}.",
        "**{}**",
        "“{}”",
        "The answer is {}.",
        "答案是{}。",
        "Answer: {}",
        "不是{other}，而是{}。",
        "It is not {other} but {}.",
        "{other} is wrong, so the answer is {}.",
    ],
)
def test_the_order_of_the_choices_does_not_matter(frame, choices):
    for choice in choices:
        reply = frame.format(choice, other=next(other for other in choices if other != choice))
        assert {extract_choice(reply, order) for order in (choices, choices[::-1])} == {choice}


@pytest.mark.parametrize(
    "reply", ["A " * 3000, "不" * 3000 + "B", "the answer is " * 500, "(" * 2000 + "A", "if " * 1500 + "B?"]
)
def test_long_repetitive_replies_are_read_quickly(reply):
    extract_choice(reply, LETTERS)  # a pattern that backtracks without bound would never return
