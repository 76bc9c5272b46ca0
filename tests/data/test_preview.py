"""A preview shows every character once, and marks exactly what is trained."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instructglm.core.records import Example, Message, Output
from instructglm.data.preview import Preview, preview, token_texts
from instructglm.data.templates import template_for

TOKENIZERS = [
    "embedded_tokenizer",
    "plain_tokenizer",
    "sentencepiece_tokenizer",
    "chatglm_tokenizer",
    "chatglm3_tokenizer",
    "glm4_tokenizer",
]
ANSWERS = ["Paris.", "巴黎是法国的首都。", "🙂👩\u200d👧 ok", "a\n\n b", "鑫森淼焱垚"]


@pytest.fixture(params=TOKENIZERS)
def template(request):
    return template_for(request.getfixturevalue(request.param))


def asked(prompt: str, *outputs: str) -> Example:
    messages = (Message(role="user", content=prompt),)
    return Example(
        id="i", task="t", messages=messages, group="g", row="a.jsonl:3",
        outputs=tuple(Output(text=text) for text in outputs),
    )  # fmt: skip


def shown_of(example: Example, template, output: int = 0) -> Preview:
    encoded = template.context(example.messages).followed_by(template.output_ids(example.outputs[output].text))
    return preview(example.row, encoded, template)


@pytest.mark.parametrize("answer", ANSWERS)
def test_trained_pieces_are_the_answer_and_its_end(template, answer):
    shown = shown_of(asked("法国的首都是哪里？", answer), template)
    trained = "".join(text for text, is_trained in shown.tokens if is_trained)
    said = template.tokenizer.decode(template.text_ids(answer), clean_up_tokenization_spaces=False)
    end = template.tokenizer.convert_ids_to_tokens(template.stop_id)
    assert trained.strip().removeprefix("<sop>").strip() == f"{said.strip()}{end}"  # <sop> begins ChatGLM-6B's answers
    marks = [is_trained for _, is_trained in shown.tokens]
    assert marks == sorted(marks)  # one stretch, at the end
    assert shown.stop_token_trained
    assert (shown.num_tokens, shown.num_trained) == (len(shown.tokens), sum(marks))
    assert shown.num_trained == len(template.start_ids) + len(template.output_ids(answer))
    assert shown.row == "a.jsonl:3"


def test_each_output_can_be_shown(template):
    example = asked("Greet.", "Hi", "Hello")
    texts = ["".join(text for text, _ in shown_of(example, template, output=index).tokens) for index in (0, 1)]
    assert "Hello" in texts[1]
    assert "Hello" not in texts[0]


@pytest.mark.parametrize("answer", ANSWERS)
def test_pieces_joined_are_the_decoded_whole(template, answer):
    context = template.context([Message(role="user", content="问：hi 你好")]).input_ids
    # ChatGLM-6B decodes the blank that begins an answer only where something stands before it.
    apart = [context, template.output_ids(answer)]
    for ids in apart if template.name == "chatglm" else [[*context, *template.output_ids(answer)]]:
        whole = template.tokenizer.decode(ids, clean_up_tokenization_spaces=False)
        assert "".join(token_texts(ids, template)) == whole


def test_control_tokens_that_decode_to_nothing_are_named(chatglm_tokenizer):
    shown = shown_of(asked("你好", "很好"), template_for(chatglm_tokenizer))
    assert shown.tokens[-5:] == (("[gMASK]", False), ("<sop>", True), ("", True), ("很好", True), ("<eop>", True))


@given(st.text(max_size=30))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_loses_a_character(plain_tokenizer, text):
    template = template_for(plain_tokenizer)
    ids = template.output_ids(text)
    assert "".join(token_texts(ids, template)) == template.tokenizer.decode(ids)


def test_a_character_of_several_tokens_stands_at_its_last(plain_tokenizer):
    template = template_for(plain_tokenizer)
    ids = template.text_ids("鑫")
    assert len(ids) > 1
    assert token_texts(ids, template) == [""] * (len(ids) - 1) + ["鑫"]


def test_a_sequence_that_ends_inside_a_character_is_shown_to_its_end(plain_tokenizer):
    template = template_for(plain_tokenizer)
    ids = template.text_ids("a鑫")[:-1]
    assert "".join(token_texts(ids, template)) == template.tokenizer.decode(ids)
