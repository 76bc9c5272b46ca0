from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from instructglm.models.tokenization import process_response

_MARKS = {",": "，", "!": "！", ":": "：", ";": "；", "?": "？"}


def _one_mark_after_the_other(text: str) -> str:
    for half, full in _MARKS.items():
        text = re.sub(rf"([\u4e00-\u9fff]){re.escape(half)}", rf"\1{full}", text)
        text = re.sub(rf"{re.escape(half)}([\u4e00-\u9fff])", rf"{full}\1", text)
    return text


@given(st.text(st.sampled_from("中文a1,!:;? 。"), max_size=30))
def test_marks_beside_han_characters_become_full_width(text: str) -> None:
    assert process_response(text) == _one_mark_after_the_other(text.strip())


def test_the_time_of_training_is_filled_in() -> None:
    assert process_response(" 截至[[训练时间]],是 ") == "截至2023年，是"
