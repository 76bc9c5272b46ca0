"""Chat formats, on small vocabularies; `test_golden.py` holds them against the official ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from instructglm.core.errors import ModelError
from instructglm.models.tokenization import TOKENIZERS

_FOLDERS = {
    "chatglm": "small_chatglm",
    "chatglm2": "small_chatglm3",
    "chatglm3": "small_chatglm3",
    "glm4_remote": "small_glm4",
}
_TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "q1"},
    {"role": "assistant", "content": "a1"},
    {"role": "user", "content": "q2"},
]
_ASKED = {
    "chatglm": "[Round 0]\n问：Be brief.\n\nq1\n答：a1\n[Round 1]\n问：q2\n答：[gMASK]<sop>",
    "chatglm2": "[gMASK]sop[Round 1]\n\n问：Be brief.\n\nq1\n\n答：a1\n\n[Round 2]\n\n问：q2\n\n答：",
    "chatglm3": "[gMASK]sop<|system|>\nBe brief.<|user|>\nq1<|assistant|>\na1<|user|>\nq2<|assistant|>",
    "glm4_remote": "[gMASK]<sop><|system|>\nBe brief.<|user|>\nq1<|assistant|>\na1<|user|>\nq2<|assistant|>",
}
_AFTER = {"chatglm": "a2<eop>", "chatglm2": "a2</s>", "chatglm3": "\na2</s>", "glm4_remote": "\na2<|user|>"}
_WRITTEN = [
    "<sop>",
    "<eop>",
    "[gMASK]",
    "sop",
    "</s>",
    "<|user|>",
    "<|assistant|>",
    "<|endoftext|>",
    "x",
    "\n",
    " ",
    "好",
]


@pytest.fixture(scope="module", params=list(TOKENIZERS))
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def tokenizer(request: pytest.FixtureRequest, family: str):
    return TOKENIZERS[family].from_pretrained(request.getfixturevalue(_FOLDERS[family]))


def _user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def test_what_is_asked_reads_as_it_should(family: str, tokenizer) -> None:
    assert tokenizer.apply_chat_template(_TURNS, add_generation_prompt=True, tokenize=False) == _ASKED[family]


def test_an_answer_at_the_end_follows_what_was_asked_and_is_ended(family: str, tokenizer) -> None:
    answered = [*_TURNS, {"role": "assistant", "content": "a2"}]
    assert tokenizer.apply_chat_template(answered, tokenize=False) == _ASKED[family] + _AFTER[family]
    asked = tokenizer.apply_chat_template(_TURNS, add_generation_prompt=True, return_dict=False)
    ids = tokenizer.apply_chat_template(answered, return_dict=False)
    assert ids[: len(asked)] == asked
    assert ids[-1] in tokenizer.stop_token_ids


def test_without_a_generation_prompt_nothing_asks_for_an_answer(tokenizer) -> None:
    asked = tokenizer.apply_chat_template(_TURNS, add_generation_prompt=True, tokenize=False)
    told = tokenizer.apply_chat_template(_TURNS, tokenize=False)
    assert asked.startswith(told)
    assert told.endswith("q2")


@given(texts=st.lists(st.lists(st.sampled_from(_WRITTEN)).map("".join), min_size=3, max_size=3))
def test_no_message_can_become_a_control_token(tokenizer, texts: list[str]) -> None:
    def control(*contents: str) -> list[int]:
        turns = [{**turn, "content": text} for turn, text in zip(_TURNS[1:], contents, strict=True)]
        ids = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
        return [token for token in ids if token in special]

    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    assert control(*texts) == control("a", "b", "c")


def test_messages_of_rounds_are_one_text_those_of_speakers_are_tokenized_apart(family: str, tokenizer) -> None:
    ids = tokenizer.apply_chat_template(_user("\nhi"), return_dict=False)
    alone = tokenizer.encode("\nhi", add_special_tokens=False)
    if family == "chatglm":
        assert ids == alone
    elif family == "chatglm2":
        assert ids == tokenizer.encode("[Round 1]\n\n问：\nhi")
    else:
        line_end = tokenizer.encode("\n", add_special_tokens=False)
        assert ids == [tokenizer.gmask_token_id, tokenizer.sop_token_id, tokenizer.user_token_id, *line_end, *alone]


def test_a_single_question_of_chatglm_stands_bare(small_chatglm: Path) -> None:
    tokenizer = TOKENIZERS["chatglm"].from_pretrained(small_chatglm)
    assert tokenizer.apply_chat_template(_user("hi"), add_generation_prompt=True)["input_ids"] == tokenizer.encode("hi")


def test_one_conversation_or_several_lists_or_tensors(tokenizer) -> None:
    one = tokenizer.apply_chat_template(_user("hi"), add_generation_prompt=True)
    other = tokenizer.apply_chat_template(_TURNS, add_generation_prompt=True)
    assert one["attention_mask"] == [1] * len(one["input_ids"])
    both = [_user("hi"), _TURNS]
    batch = tokenizer.apply_chat_template(both, add_generation_prompt=True, return_dict=False)
    assert batch == [one["input_ids"], other["input_ids"]]
    tensor = tokenizer.apply_chat_template(_user("hi"), add_generation_prompt=True, return_tensors="pt")
    assert tensor["input_ids"].tolist() == [one["input_ids"]]
    padded = tokenizer.apply_chat_template(both, add_generation_prompt=True, padding=True, return_tensors="pt")
    assert padded["input_ids"][0][padded["attention_mask"][0].bool()].tolist() == one["input_ids"]
    assert padded["attention_mask"][0, 0] == 0
    assert torch.is_tensor(padded["attention_mask"])
    texts = tokenizer.apply_chat_template(both, tokenize=False)
    assert [type(text) for text in texts] == [str, str]


@pytest.mark.parametrize(
    ("roles", "says"),
    [
        ([], "without messages"),
        (["user", "narrator"], "message 2: its role is 'narrator'"),
        (["assistant", "user"], "found the roles assistant, user"),
        (["system"], "last message is of the system"),
        (["user", "assistant"], "the last message is an answer already"),
        (["user", "system", "user"], "found the roles"),
    ],
)
def test_conversations_that_no_format_holds_are_refused(tokenizer, roles: list[str], says: str) -> None:
    turns = [{"role": role, "content": "x"} for role in roles]
    with pytest.raises(ModelError, match=says):
        tokenizer.apply_chat_template(turns, add_generation_prompt=True)


def test_content_has_to_be_text(tokenizer) -> None:
    with pytest.raises(ModelError, match="message 1: its content is a NoneType"):
        tokenizer.apply_chat_template([{"role": "user", "content": None}])


def test_rounds_want_user_and_assistant_in_turn(family: str, tokenizer) -> None:
    twice = [*_user("a"), *_user("b")]
    if family in ("chatglm", "chatglm2"):
        with pytest.raises(ModelError, match="message 2 of them should be of the assistant"):
            tokenizer.apply_chat_template(twice)
    else:
        assert tokenizer.apply_chat_template(twice, tokenize=False).endswith("<|user|>\na<|user|>\nb")


@pytest.mark.parametrize(
    "asked", [{"continue_final_message": True}, {"chat_template": "{{ x }}"}, {"return_assistant_tokens_mask": True}]
)
def test_what_the_formats_do_not_know_is_refused(tokenizer, asked: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=next(iter(asked))):
        tokenizer.apply_chat_template(_user("hi"), **asked)


def test_a_conversation_is_refused_rather_than_cut(tokenizer) -> None:
    assert tokenizer.apply_chat_template(_user("hi"), truncation=True, max_length=100)["input_ids"]
    with pytest.raises(ModelError, match="max_length is 1"):
        tokenizer.apply_chat_template(_user("hello there"), truncation=True, max_length=1)


@pytest.fixture
def chatglm3(small_chatglm3: Path):
    return TOKENIZERS["chatglm3"].from_pretrained(small_chatglm3)


def test_chatglm3_writes_tools_under_the_system_message(chatglm3) -> None:
    tools = [{"name": "weather", "parameters": {"city": "城市"}}]
    text = f"<|system|>\nTools:\n{json.dumps(tools, indent=4, ensure_ascii=False)}<|user|>\n?"
    system = {"role": "system", "content": "Tools:"}
    given_apart = chatglm3.apply_chat_template([system, *_user("?")], tools=tools, tokenize=False)
    in_message = chatglm3.apply_chat_template([system | {"tools": tools}, *_user("?")], tokenize=False)
    assert given_apart == in_message == f"[gMASK]sop{text}"


def test_chatglm3_names_a_called_tool_and_hears_what_it_gave(chatglm3) -> None:
    call = {"role": "assistant", "metadata": "weather", "content": "call"}
    for speaker in ("observation", "tool"):
        turns = [*_user("?"), call, {"role": speaker, "content": "sunny"}]
        text = chatglm3.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        assert text == "[gMASK]sop<|user|>\n?<|assistant|>weather\ncall<|observation|>\nsunny<|assistant|>"


def test_tools_without_a_system_message_are_refused(chatglm3) -> None:
    with pytest.raises(ModelError, match="does not begin with a system message"):
        chatglm3.apply_chat_template(_user("?"), tools=[{"name": "weather"}])


def test_tools_of_another_speaker_are_refused(chatglm3) -> None:
    with pytest.raises(ModelError, match="a message of the user has tools"):
        chatglm3.apply_chat_template([{"role": "user", "content": "?", "tools": [{"name": "weather"}]}])


def test_a_tool_that_is_no_json_is_refused(chatglm3) -> None:
    turns = [{"role": "system", "content": "x"}, *_user("?")]
    with pytest.raises(ModelError, match="cannot be written as JSON"):
        chatglm3.apply_chat_template(turns, tools=[print])


def test_an_uncalled_observation_is_refused(chatglm3) -> None:
    with pytest.raises(ModelError, match="an observation follows the answer"):
        chatglm3.apply_chat_template([*_user("?"), {"role": "observation", "content": "x"}])


@pytest.mark.parametrize("other", ["chatglm", "chatglm2", "glm4_remote"])
def test_other_families_refuse_tools(request: pytest.FixtureRequest, other: str) -> None:
    tokenizer = TOKENIZERS[other].from_pretrained(request.getfixturevalue(_FOLDERS[other]))
    with pytest.raises(ModelError, match="tools"):
        tokenizer.apply_chat_template(_TURNS, tools=[{"name": "weather"}])
