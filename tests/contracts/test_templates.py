"""What every registered template keeps to, each on the tokenizers that it is for."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instructglm.core.records import Example, Message
from instructglm.data import encode
from instructglm.data.templates import IGNORE_INDEX, TEMPLATES, template_for

TOKENIZERS = {
    "chatglm": ["chatglm_tokenizer"],
    "chatglm2": ["chatglm2_tokenizer"],
    "chatglm3": ["chatglm3_tokenizer"],
    "glm4": ["glm4_remote_tokenizer", "glm4_tokenizer"],
    "chat": ["embedded_tokenizer"],
    "plain": ["embedded_tokenizer", "plain_tokenizer", "sentencepiece_tokenizer"],
}
PAIRS = [(name, tokenizer) for name in TEMPLATES for tokenizer in TOKENIZERS[name]]
TEXTS = ["Paris.", "巴黎。", "🙂", "two\nlines", " blank before", "1 2  3"]
QUESTION = (Message(role="user", content="Where? 哪里?"),)
DIALOGUE = (*QUESTION, Message(role="assistant", content="Here."), Message(role="user", content="Why?"))


@pytest.fixture(params=PAIRS, ids="-".join)
def template(request):
    name, tokenizer = request.param
    return TEMPLATES[name](request.getfixturevalue(tokenizer))


def asked(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


def control_ids(template, ids) -> list[int]:
    """The control tokens among some ids. ChatGLM-6B writes tabs and blanks as such too: those are text."""
    texts = {"\t", "\n"}
    return [
        token
        for token in ids
        if token in template.tokenizer.all_special_ids and template.tokenizer.decode([token]).strip(" ") not in texts
    ]


def test_is_listed_under_its_own_name(template):
    assert TEMPLATES[template.name] is type(template)


@pytest.mark.parametrize(("name", "tokenizer"), [pair for pair in PAIRS if pair != ("plain", "embedded_tokenizer")])
def test_is_found_for_its_tokenizer(request, name, tokenizer):
    assert template_for(request.getfixturevalue(tokenizer)).name == name


@pytest.mark.parametrize("text", TEXTS)
def test_an_answer_ends_with_the_stop_token_and_holds_it_once(template, text):
    ids = template.output_ids(text)
    assert ids[-1] == template.stop_id
    assert ids.count(template.stop_id) == 1
    assert template.answer_text(ids) == text.strip()


def test_the_trained_end_is_one_of_those_that_stop_an_answer(template):
    assert template.stop_id in template.stop_ids
    assert template.stop_ids <= set(template.tokenizer.all_special_ids)


@pytest.mark.parametrize("text", TEXTS)
def test_no_stop_id_stands_in_an_answers_text(template, text):
    assert not template.stop_ids & {*template.start_ids, *template.output_ids(text)[:-1]}


def test_the_same_conversation_gives_the_same_ids(template):
    assert template.context(QUESTION) == template.context(list(QUESTION))


def test_every_turn_stands_in_the_context_in_order(template):
    text = template.tokenizer.decode(template.context(DIALOGUE).input_ids)
    places = [text.index(turn.content) for turn in DIALOGUE]
    assert places == sorted(places)


def test_the_context_ends_with_the_start_of_an_answer(template):
    context = template.context(QUESTION)
    assert context.input_ids[context.context_length :] == template.start_ids
    assert context.labels[context.context_length :] == template.start_ids


@pytest.mark.parametrize("messages", [QUESTION, DIALOGUE], ids=["one turn", "three turns"])
def test_what_is_asked_is_what_is_trained(template, messages):
    context = template.context(messages)
    encoded = encode_with(template, messages, "There.")
    assert encoded.input_ids == [*context.input_ids, *template.output_ids("There.")]
    assert encoded.labels == [*context.labels, *template.output_ids("There.")]
    assert encoded.context_length == context.context_length


def encode_with(template, messages, answer):
    return template.context(messages).followed_by(template.output_ids(answer))


def test_a_label_is_its_id_or_nothing(template):
    encoded = encode_with(template, DIALOGUE, "There.")
    assert len(encoded.labels) == len(encoded.input_ids)
    assert all(label in (IGNORE_INDEX, token) for token, label in zip(*encoded[:2], strict=True))
    assert encoded.labels[0] == IGNORE_INDEX
    before = encoded.labels[encoded.context_length - 1]
    assert before == IGNORE_INDEX  # the answer's labels begin at context_length


def test_a_single_question_is_not_trained(template):
    context = template.context(QUESTION)
    assert set(context.labels[: context.context_length]) == {IGNORE_INDEX}


def test_an_answer_that_is_left_out_is_not_trained(template):
    context = template.context(DIALOGUE, untrained=frozenset({1}))
    assert set(context.labels[: context.context_length]) == {IGNORE_INDEX}
    assert context.input_ids == template.context(DIALOGUE).input_ids


def test_a_further_turn_keeps_the_ids_of_the_first(template):
    """But for what closes a prompt, and for ChatGLM-6B, whose first question alone stands bare."""
    first = (Message(role="user", content="Hm?"), Message(role="assistant", content="Hm."))
    short = template.context([*first, *QUESTION])
    whole = template.context([*first, *DIALOGUE])
    length = len(short.input_ids) - len(template.start_ids) - 2
    assert whole.input_ids[:length] == short.input_ids[:length]


def test_the_stop_token_does_not_end_the_context(template):
    assert template.context(QUESTION).input_ids[-1] not in template.stop_ids


@pytest.mark.parametrize("row", [0, 1])
def test_user_text_stays_text(template, row):
    tokens = [token for token in template.tokenizer.all_special_tokens if token.strip()]
    text = ("a " + " b ".join(tokens), "".join(tokens))[row]
    harmless = template.context([*asked("x"), Message(role="assistant", content="y"), *asked("z")])
    context = template.context([*asked(text), Message(role="assistant", content=text), *asked(text)])
    assert control_ids(template, context.input_ids) == control_ids(template, harmless.input_ids)
    assert control_ids(template, template.output_ids(text)) == [template.stop_id]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=40))
def test_no_text_breaks_it(template, text):
    ids = encode_with(template, asked(text), text).input_ids
    assert all(isinstance(token, int) for token in ids)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=20), min_size=2, max_size=2, unique=True))
def test_no_context_begins_another_of_the_same_roles(template, texts):
    """Or an answer could begin with what belongs to the question. Texts that one tokenizer takes for one are one."""
    short, long = sorted((template.context(asked(text)).input_ids for text in texts), key=len)
    assert short == long or long[: len(short)] != short


@pytest.mark.parametrize("name", TEMPLATES)
def test_encode_uses_it(request, name):
    tokenizer = request.getfixturevalue(TOKENIZERS[name][-1])
    example = Example.of(DIALOGUE, ["There."])
    assert encode(example, tokenizer) == encode_with(template_for(tokenizer), DIALOGUE, "There.")
