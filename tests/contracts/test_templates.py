"""What every registered template keeps to, on tokenizers of three kinds."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instructglm.core.records import Message
from instructglm.data.templates import TEMPLATES, template_for

TOKENIZERS = {
    "chat": ["embedded_tokenizer"],
    "plain": ["embedded_tokenizer", "plain_tokenizer", "sentencepiece_tokenizer"],
}
PAIRS = [(name, tokenizer) for name in TEMPLATES for tokenizer in TOKENIZERS[name]]
TEXTS = ["Paris.", "巴黎。", "🙂", "two\nlines", " blank before", "1 2  3"]
QUESTION = (Message(role="user", content="Where? 哪里？"),)
SYSTEM = Message(role="system", content="Be brief.")


@pytest.fixture(params=PAIRS, ids="-".join)
def template(request):
    name, tokenizer = request.param
    return TEMPLATES[name](request.getfixturevalue(tokenizer))


def test_is_listed_under_its_own_name(template):
    assert TEMPLATES[template.name] is type(template)


def test_is_found_for_its_tokenizer(embedded_tokenizer, plain_tokenizer):
    assert {template_for(one).name for one in (embedded_tokenizer, plain_tokenizer)} == set(TEMPLATES)


@pytest.mark.parametrize("text", TEXTS)
def test_an_answer_ends_with_the_stop_token_and_holds_it_once(template, text):
    ids = template.output_ids(text)
    assert ids[-1] == template.stop_id
    assert ids.count(template.stop_id) == 1
    assert template.tokenizer.decode(ids[:-1]).strip() == text.strip()


def test_the_same_conversation_gives_the_same_ids(template):
    assert template.context_ids(QUESTION) == template.context_ids(list(QUESTION))


def test_every_turn_stands_in_the_context_in_order(template):
    turns = [SYSTEM, *QUESTION, Message(role="assistant", content="Here."), Message(role="user", content="Why?")]
    text = template.tokenizer.decode(template.context_ids(turns))
    places = [text.index(turn.content) for turn in turns]
    assert places == sorted(places)


def test_a_further_turn_keeps_the_beginning(template):
    """Or a cached conversation could not be gone on with."""
    short = template.tokenizer.decode(template.context_ids(QUESTION))
    longer = [*QUESTION, Message(role="assistant", content="Here."), Message(role="user", content="Why?")]
    whole = template.tokenizer.decode(template.context_ids(longer))
    assert whole.startswith(short.rstrip("\n "))


def test_the_stop_token_does_not_end_the_context(template):
    assert template.context_ids(QUESTION)[-1] != template.stop_id


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=40))
def test_no_text_breaks_it(template, text):
    ids = [*template.context_ids([Message(role="user", content=text)]), *template.output_ids(text)]
    assert all(isinstance(token, int) for token in ids)
