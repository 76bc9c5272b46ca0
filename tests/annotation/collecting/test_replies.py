"""What a model says is read strictly: an instruction is one whole JSON object, and everything else is told."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructglm.annotation.collecting.replies import WORDINGS, Candidate, Reply, Unusable, read_reply, request


def read(text: str, *, is_cut: bool = False) -> list[Candidate | Unusable]:
    return list(read_reply(Reply(text=text, is_cut=is_cut)))


ONE = '{"instruction": "写一首诗。", "input": ""}'


@pytest.mark.parametrize(
    "text",
    [
        f"{ONE}\n{ONE}",
        f"```json\n[{ONE},\n {ONE}]\n```",
        f"1. {ONE}\n2) {ONE}",
        f"- {ONE}\n* {ONE}",
        f"  {ONE}   {ONE}  ",
        json.dumps([json.loads(ONE)] * 2, indent=2),
    ],
)
def test_objects_are_found_in_what_may_stand_around_them(text: str) -> None:
    assert read(text) == [Candidate("写一首诗。", "")] * 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I cannot help with that.", "not_json"),
        ("{'instruction': 'a'}", "not_json"),
        ('{"instruction": "a"', "not_json"),
        ('{"input": "a"}', "wrong_fields"),
        ('{"instruction": "a", "output": "b"}', "wrong_fields"),
        ('{"instruction": ["a"]}', "wrong_fields"),
        ('{"instruction": "a", "input": null}', "wrong_fields"),
        ('{"instruction": " "}', "blank"),
        ('{"instruction": "' + "a" * 4_001 + '"}', "too_long"),
        (r'{"instruction": "\ud800"}', "not_json"),
        ("[" * 100_000 + "x", "not_json"),
        ('{"a":' * 5_000, "not_json"),
    ],
)
def test_what_holds_no_instruction_is_told_with_the_reason(text: str, reason: str) -> None:
    found = read(f"{ONE}\n{text}\n{ONE}")
    assert [one for one in found if isinstance(one, Candidate)] == [Candidate("写一首诗。", "")] * 2
    assert {one.reason for one in found if isinstance(one, Unusable)} == {reason}


def test_a_last_line_that_was_cut_is_told_as_cut() -> None:
    found = read(f'{ONE}\n{{"instruction": "Wri', is_cut=True)
    assert found == [Candidate("写一首诗。", ""), Unusable('{"instruction": "Wri', "cut_off")]


@given(st.text(), st.booleans())
def test_no_reply_is_too_strange(text: str, is_cut: bool) -> None:
    for one in read(text, is_cut=is_cut):
        assert isinstance(one, Candidate | Unusable)


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=5))
def test_what_is_asked_for_is_read_whole(pairs) -> None:
    text = "\n".join(json.dumps({"instruction": one, "input": other}) for one, other in pairs)
    expected = [Candidate(one.strip(), other.strip()) for one, other in pairs if one.strip()]
    assert [one for one in read(text) if isinstance(one, Candidate)] == expected


@pytest.mark.parametrize("language", WORDINGS)
def test_examples_number_domain_and_complexity_stand_in_the_request(language: str) -> None:
    (message,) = request(language, ['a "b"\n{c}', "丙"], 7, domain="{law}", complexity="hard")
    lines = message.content.splitlines()
    assert [json.loads(line)["instruction"] for line in lines[1:3]] == ['a "b"\n{c}', "丙"]
    for part in ("7", "{law}", "hard", '{"instruction"'):
        assert part in "\n".join(lines[3:])
    assert "hard" not in request(language, ["a"], 7)[0].content
