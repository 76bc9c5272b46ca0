"""Encoding: what is trained is exactly the answer, and no token goes without an entry in the ledger."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instructglm.core.errors import DataError
from instructglm.core.ledger import Ledger
from instructglm.core.records import Example, Message, Output, example_id, prompt_hash
from instructglm.data import encode
from instructglm.data.features import encode_examples
from instructglm.data.templates import IGNORE_INDEX, Encoded, template_for

TOKENIZERS = [
    "embedded_tokenizer",
    "plain_tokenizer",
    "sentencepiece_tokenizer",
    "chatglm_tokenizer",
    "chatglm2_tokenizer",
    "chatglm3_tokenizer",
    "glm4_tokenizer",
]
TEXTS = ["Paris.", "巴黎是法国的首都。", "🙂", "a\nb  c", " leading", "中A文b"]
QUESTION = "Question: 最后的问题是什么？"
LONG = "背景资料：" + "今天天气很好，我们去公园散步。" * 30 + QUESTION


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def template(tokenizer):
    return template_for(tokenizer)


def example(prompt: str, *outputs: str, weights: tuple[float, ...] = (), row: str = "f:1", system: str = "") -> Example:
    head = (Message(role="system", content=system),) if system else ()
    messages = (*head, Message(role="user", content=prompt))
    return Example(
        id=example_id("t", messages),
        task="t",
        messages=messages,
        outputs=tuple(
            Output(text=text, weight=weight)
            for text, weight in zip(outputs, weights or [1.0] * len(outputs), strict=True)
        ),
        group=prompt_hash(messages),
        row=row,
    )


def trained(encoded: Encoded) -> list[int]:
    return [label for label in encoded.labels if label != IGNORE_INDEX]


def features(template, *examples, max_length=512, overlong="refuse", max_tokens=None):
    ledger = Ledger()
    limits = {"max_length": max_length, "max_tokens": max_tokens}
    return encode_examples(examples, template, overlong=overlong, ledger=ledger, **limits), ledger


# --- what is trained -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", TEXTS)
def test_exactly_the_output_and_its_end_are_trained(tokenizer, template, text):
    encoded = encode(example("Name it.", text), tokenizer)
    assert trained(encoded) == [*template.start_ids, *template.output_ids(text)]
    assert trained(encoded)[-1] == template.stop_id
    assert template.answer_text(trained(encoded)) == text.strip()
    assert encoded.labels[: encoded.context_length] == [IGNORE_INDEX] * encoded.context_length
    assert encoded.labels[encoded.context_length :] == encoded.input_ids[encoded.context_length :]


def test_a_chat_models_context_is_its_own_template(embedded_tokenizer):
    asked = example("你好吗？", "很好", system="Be kind.")
    turns = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "你好吗？"}]
    expected = embedded_tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
    encoded = encode(asked, embedded_tokenizer)
    assert encoded.input_ids[: encoded.context_length] == expected
    whole = [*turns, {"role": "assistant", "content": "很好"}]
    assert encoded.input_ids == embedded_tokenizer.apply_chat_template(whole, return_dict=False)[: len(encoded.labels)]


def test_an_example_is_easily_made(tokenizer):
    plain = example("Name it.", "Paris.", "Rome.")
    made = Example.of(plain.messages, ["Paris.", "Rome."], task="t", row="f:1")
    assert made == plain
    ids, labels, context_length = encode(made, tokenizer, max_length=200)
    assert Encoded(ids, labels, context_length) == encode(plain, tokenizer)


def test_any_output_can_be_chosen(tokenizer, template):
    asked = example("Greet.", "Hi", "Hello there")
    contexts = {tuple(encode(asked, tokenizer, output=index).input_ids[:-1][:5]) for index in (0, 1)}
    assert [trained(encode(asked, tokenizer, output=index)) for index in (0, 1)] == [
        [*template.start_ids, *template.output_ids("Hi")],
        [*template.start_ids, *template.output_ids("Hello there")],
    ]
    assert len(contexts) == 1


def test_nothing_followed_by_nothing_is_nothing():
    assert Encoded.untrained([]).followed_by([]) == Encoded([], [], 0)


def test_features_hold_every_output_after_one_context(template):
    (feature,), ledger = features(template, example("Greet.", "Hi", "你好", weights=(3.0, 1.0)))
    assert feature.context == template.context([Message(role="user", content="Greet.")])
    assert feature.outputs == [template.output_ids("Hi"), template.output_ids("你好")]
    assert [(pair.input_ids, weight) for pair, weight in feature.sequences()] == [
        (feature.context.input_ids + feature.outputs[0], 0.75),
        (feature.context.input_ids + feature.outputs[1], 0.25),
    ]
    assert len(ledger) == 0


@given(st.lists(st.floats(0.001, 1000), min_size=1, max_size=6))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_weights_sum_to_one(plain_tokenizer, weights):
    outputs = [f"answer {index}" for index in range(len(weights))]
    (feature,), _ = features(template_for(plain_tokenizer), example("q", *outputs, weights=tuple(weights)))
    assert sum(feature.weights) == pytest.approx(1.0)
    assert feature.weights == pytest.approx([weight / sum(weights) for weight in weights])


# --- earlier answers ----------------------------------------------------------------------------------------------
TURNS = (
    Message(role="user", content="One?"),
    Message(role="assistant", content="First."),
    Message(role="user", content="Two?"),
    Message(role="assistant", content="Second."),
    Message(role="user", content="Three?"),
)


def said(tokenizer, feature) -> str:
    """What is trained of a feature's context, as text."""
    labels = feature.context.labels[: feature.context.context_length]
    return tokenizer.decode([label for label in labels if label != IGNORE_INDEX], skip_special_tokens=True)


@pytest.mark.parametrize("name", ["chatglm3_tokenizer", "glm4_tokenizer"])
def test_where_every_answer_is_trained_it_is_trained_once(request, name):
    tokenizer = request.getfixturevalue(name)
    template = template_for(tokenizer)
    (alone,), _ = features(template, Example.of(TURNS, ["Third."]))
    assert said(tokenizer, alone).split() == ["First.", "Second."]
    rows = [Example.of(TURNS[:length], ["x"]) for length in (1, 3, 5)]
    assert [said(tokenizer, feature) for feature in features(template, *rows)[0]] == ["", "", ""]
    first, second = Example.of(TURNS, ["x"]), Example.of((*TURNS[:4], Message(role="user", content="Four?")), ["x"])
    assert [said(tokenizer, feature).split() for feature in features(template, first, second)[0]] == [
        ["First.", "Second."],
        [],
    ]


@pytest.mark.parametrize("name", ["chatglm3_tokenizer", "glm4_tokenizer"])
def test_earlier_answers_survive_a_cut_of_the_prompt(request, name):
    tokenizer = request.getfixturevalue(name)
    asked = Example.of((*TURNS[:4], Message(role="user", content=LONG)), ["x"])
    (feature,), ledger = features(template_for(tokenizer), asked, max_length=120, overlong="truncate_prompt")
    assert said(tokenizer, feature).split() == ["First.", "Second."]
    assert ledger.counts() == {"overlong": 1}


def test_chatglm_never_loses_the_end_of_its_context(chatglm_tokenizer):
    template = template_for(chatglm_tokenizer)
    gmask, sop = chatglm_tokenizer.convert_tokens_to_ids("[gMASK]"), chatglm_tokenizer.bos_token_id
    (feature,), _ = features(template, example(LONG, "x"), max_length=40, overlong="truncate_prompt")
    assert feature.context.input_ids[-2:] == [gmask, sop]
    assert feature.context.labels[-2:] == [IGNORE_INDEX, sop]


# --- too long ------------------------------------------------------------------------------------------------------
def test_encode_refuses_what_is_too_long(tokenizer):
    asked = example("Name it.", "Paris.", row="raw/a.jsonl:7")
    length = len(encode(asked, tokenizer).input_ids)
    assert len(encode(asked, tokenizer, max_length=length).input_ids) == length
    with pytest.raises(DataError) as caught:
        encode(asked, tokenizer, max_length=length - 1)
    assert caught.value.faults == (f"raw/a.jsonl:7: {length} tokens with its output; max_length is {length - 1}",)
    assert "data." not in str(caught.value)
    with pytest.raises(DataError) as caught:
        encode(Example.of(asked.messages, ["Paris."]), tokenizer, max_length=length - 1)
    assert str(caught.value).startswith(f"{length} tokens with its output")


def test_encode_says_what_it_wants(plain_tokenizer):
    with pytest.raises(DataError, match=r"found a dict; expected an Example") as caught:
        encode({"messages": []}, plain_tokenizer)
    assert "Example.of(" in caught.value.hint
    with pytest.raises(DataError, match="f:1: output 2 is asked for; the example has 1"):
        encode(example("q", "a"), plain_tokenizer, output=2)


def test_refuse_names_all_rows_at_once(template):
    rows = [example(LONG + str(n), "x", row=f"f:{n}") for n in range(25)]
    with pytest.raises(DataError) as caught:
        features(template, example("short", "x"), *rows, max_length=100)
    assert [fault.split(": ")[0] for fault in caught.value.faults] == [f"f:{n}" for n in range(20)] + ["... and 5 more"]
    assert "data.max_length is 100" in caught.value.faults[0]
    assert "truncate_prompt" in caught.value.hint


def test_drop_notes_row_task_and_tokens(template):
    kept, ledger = features(
        template, example("short", "x"), example(LONG, "x", row="f:9"), max_length=100, overlong="drop"
    )
    length = len(template.context([Message(role="user", content=LONG)]).input_ids) + len(template.output_ids("x"))
    (entry,) = ledger.entries
    assert len(kept) == 1
    assert (entry.row, entry.reason, entry.action, entry.num_tokens) == ("f:9", "overlong", "dropped", length)
    assert (entry.task, entry.detail) == ("t", f"{length} tokens > 100")


def test_a_prompt_with_all_its_outputs_may_have_so_many_tokens(template):
    asked, short = example("Count.", "one", "one two", "one two three", row="f:9"), example("short", "x")
    (whole, _), _ = features(template, asked, short)
    exact, ledger = features(template, asked, short, max_tokens=whole.num_tokens)
    assert (len(exact), len(ledger)) == (2, 0)
    with pytest.raises(DataError) as caught:
        features(template, asked, short, max_tokens=whole.num_tokens - 1)
    assert caught.value.faults == (
        f"f:9: {whole.num_tokens} tokens with all its outputs; training.tokens_per_batch is {whole.num_tokens - 1}",
    )
    kept, ledger = features(template, asked, short, max_tokens=whole.num_tokens - 1, overlong="drop")
    (entry,) = ledger.entries
    assert [feature.example_id for feature in kept] == [short.id]
    assert (entry.row, entry.reason, entry.num_tokens) == ("f:9", "overlong", whole.num_tokens)
    assert entry.detail == f"{whole.num_tokens} tokens > {whole.num_tokens - 1}"


def test_a_prompt_is_cut_until_it_fits_with_all_its_outputs(template):
    asked = example(LONG, "x", "一个长一点的回答", row="f:9")
    (feature,), ledger = features(template, asked, max_tokens=140, overlong="truncate_prompt")
    assert 140 - 12 < feature.num_tokens <= 140
    assert [(entry.row, entry.action) for entry in ledger.entries] == [("f:9", "cut")]


@pytest.mark.parametrize("max_length", [64, 65, 66, 67, 100, 163])
def test_a_cut_prompt_fits_keeps_its_question_and_is_counted(template, max_length):
    asked = example(LONG, "x", "一个长一点的回答", row="f:9")
    whole = template.context(asked.messages).input_ids
    (feature,), ledger = features(template, asked, max_length=max_length + 40, overlong="truncate_prompt")
    longest = max(map(len, feature.outputs))
    assert len(feature.context.input_ids) + longest <= max_length + 40
    (entry,) = ledger.entries
    assert (entry.row, entry.reason, entry.action) == ("f:9", "overlong", "cut")
    assert len(feature.context.input_ids) + entry.num_tokens == len(whole)
    text = template.tokenizer.decode(feature.context.input_ids)
    assert template.tokenizer.decode(template.text_ids(QUESTION)) in text  # ChatGLM-6B writes ？ as ?
    assert "\ufffd" not in text


def test_as_little_is_cut_as_need_be(template):
    asked = example(LONG, "x")
    (feature,), _ = features(template, asked, max_length=200, overlong="truncate_prompt")
    length = len(feature.context.input_ids) + len(feature.outputs[0])
    assert length > 200 - 12  # a character of a few tokens, and a blank


def test_system_message_and_earlier_turns_survive_a_cut(embedded_tokenizer):
    template = template_for(embedded_tokenizer)
    asked = example(LONG, "x", system="Answer in French.")
    (feature,), _ = features(template, asked, max_length=120, overlong="truncate_prompt")
    assert "Answer in French." in embedded_tokenizer.decode(feature.context.input_ids)


def test_a_prompt_that_cannot_be_cut_enough_is_dropped(template):
    asked = example("short", "字" * 300, row="f:3")
    kept, ledger = features(template, asked, max_length=50, overlong="truncate_prompt")
    assert kept == []
    (entry,) = ledger.entries
    assert (entry.row, entry.action) == ("f:3", "dropped")
    assert entry.num_tokens > 150


def test_a_prompt_that_fills_everything_leaves_room_for_no_output(template):
    asked = example("fill", "x")
    context = len(template.context(asked.messages).input_ids)
    kept, ledger = features(template, asked, max_length=context, overlong="drop")
    assert (kept, ledger.counts()) == ([], {"overlong": 1})
    (exact,), ledger = features(template, asked, max_length=context + len(template.output_ids("x")))
    assert (len(exact.context.input_ids), len(ledger)) == (context, 0)


@given(prompt=st.text(max_size=80), max_length=st.integers(30, 90))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_text_nothing_is_longer_than_allowed_or_lost(plain_tokenizer, prompt, max_length):
    template = template_for(plain_tokenizer)
    asked = example(prompt, "x", "yy")
    kept, ledger = features(template, asked, max_length=max_length, overlong="truncate_prompt")
    whole = len(template.context(asked.messages).input_ids)
    for feature in kept:
        assert len(feature.context.input_ids) + max(map(len, feature.outputs)) <= max_length
        assert len(feature.context.input_ids) + sum(entry.num_tokens for entry in ledger.entries) == whole
    if not kept:
        assert [entry.action for entry in ledger.entries] == ["dropped"]


def test_an_earlier_answer_whose_question_is_held_out_is_not_trained(chatglm3_tokenizer):
    turns = [("user", "q1"), ("assistant", "a1"), ("user", "q2"), ("assistant", "a2"), ("user", "q3")]
    messages = tuple(Message(role=role, content=text) for role, text in turns)
    template, asked = template_for(chatglm3_tokenizer), Example.of(messages, ["a3"])

    def texts(*held_out: Example) -> str:
        (feature,) = encode_examples(
            [asked], template, max_length=512, overlong="refuse", ledger=Ledger(), held_out=held_out
        )
        (sequence,) = (sequence for sequence, _ in feature.sequences())
        return template.tokenizer.decode(trained(sequence), skip_special_tokens=True)

    assert [name for name in ("a1", "a2", "a3") if name in texts()] == ["a1", "a2", "a3"]
    held = texts(Example.of(messages[:1], ["a1"]))
    assert [name for name in ("a1", "a2", "a3") if name in held] == ["a2", "a3"]
