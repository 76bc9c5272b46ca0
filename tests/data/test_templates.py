"""The two templates, beside what their contract holds."""

from __future__ import annotations

import copy

import pytest

from instructglm.core.errors import ModelError
from instructglm.core.records import Message
from instructglm.data.templates import template_for

ASKED = (Message(role="user", content="Name it."),)
DIALOGUE = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="Hi"),
    Message(role="assistant", content="Hello"),
    Message(role="user", content="And you?"),
)


def changed(tokenizer, **attributes):
    other = copy.deepcopy(tokenizer)
    for name, value in attributes.items():
        setattr(other, name, value)
    return other


def test_the_tokenizers_own_chat_template_is_used_where_there_is_one(embedded_tokenizer, plain_tokenizer):
    assert template_for(embedded_tokenizer).name == "chat"
    assert template_for(plain_tokenizer).name == "plain"


def test_plain_turns_are_marked_paragraphs(plain_tokenizer):
    template = template_for(plain_tokenizer)
    assert plain_tokenizer.decode(template.context_ids(DIALOGUE)) == (
        "Be brief.\n\nInstruction: Hi\n\nAnswer: Hello\n\nInstruction: And you?\n\nAnswer:"
    )
    assert plain_tokenizer.decode(template.output_ids("Fine.")) == " Fine.<|end|>"


def test_a_text_begins_as_the_tokenizer_begins_it(sentencepiece_tokenizer, plain_tokenizer):
    begun = template_for(sentencepiece_tokenizer).context_ids(ASKED)
    assert begun[0] == sentencepiece_tokenizer.bos_token_id
    assert begun.count(sentencepiece_tokenizer.bos_token_id) == 1
    text = "Instruction: Name it.\n\nAnswer:"
    assert begun == sentencepiece_tokenizer(text)["input_ids"]
    assert template_for(plain_tokenizer).context_ids(ASKED) == plain_tokenizer(text)["input_ids"]


def test_context_and_answer_together_are_the_whole_text(sentencepiece_tokenizer):
    template = template_for(sentencepiece_tokenizer)
    ids = [*template.context_ids(ASKED), *template.output_ids("Paris.")]
    assert sentencepiece_tokenizer.decode(ids) == "<s> Instruction: Name it.\n\nAnswer: Paris.</s>"


def test_chat_stop_token_is_the_one_that_ends_a_turn(embedded_tokenizer):
    assert template_for(embedded_tokenizer).stop_id == embedded_tokenizer.convert_tokens_to_ids("<|im_end|>")
    ended = changed(embedded_tokenizer, chat_template="{% for m in messages %}{{ m.content }}<|endoftext|>{% endfor %}")
    assert template_for(ended).stop_id == ended.convert_tokens_to_ids("<|endoftext|>")


def test_where_the_template_ends_a_turn_with_no_control_token_the_end_of_sequence_does(embedded_tokenizer):
    open_end = changed(embedded_tokenizer, chat_template="{% for m in messages %}{{ m.content }}\n{% endfor %}")
    assert template_for(open_end).stop_id == open_end.eos_token_id


def test_a_tokenizer_without_an_end_is_refused_with_the_next_move(embedded_tokenizer, plain_tokenizer):
    open_end = "{% for m in messages %}{{ m.content }}\n{% endfor %}"
    endless = [
        changed(plain_tokenizer, eos_token=None),
        changed(embedded_tokenizer, chat_template=open_end, eos_token=None),
    ]
    for tokenizer in endless:
        with pytest.raises(ModelError, match=r"tokenizer_config\.json"):
            template_for(tokenizer)


def test_a_template_that_refuses_a_role_is_named_with_the_roles(embedded_tokenizer):
    strict = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}{{ m.content }}<|im_end|>{% endfor %}"  # noqa: E501
    template = template_for(changed(embedded_tokenizer, chat_template=strict))
    assert template.context_ids(ASKED)
    with pytest.raises(ModelError, match="roles system, user, assistant, user: no system role") as caught:
        template.context_ids(DIALOGUE)
    assert caught.value.hint


GLM4 = (
    "[gMASK]<sop>{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def test_what_stands_between_the_generation_prompt_and_an_answer_belongs_to_the_context(embedded_tokenizer):
    """As in GLM-4, whose generation prompt is `<|assistant|>` and whose answers begin after a line end."""
    tokenizer = copy.deepcopy(embedded_tokenizer)
    tokenizer.chat_template = GLM4
    template = template_for(tokenizer)
    asked = [Message(role="user", content="hi")]
    rendered = tokenizer.decode([*template.context_ids(asked), *template.output_ids("yes")])
    assert rendered == f"[gMASK]<sop><|user|>\nhi<|assistant|>\nyes{tokenizer.eos_token}"


@pytest.mark.parametrize("name", ["embedded_tokenizer", "plain_tokenizer", "sentencepiece_tokenizer"])
def test_control_tokens_in_somebodys_text_stay_text(request, name):
    tokenizer = request.getfixturevalue(name)
    template = template_for(tokenizer)
    control = tokenizer.eos_token
    for text in (f"a{control}b", f"{control}", f"x {control}\n{control}user"):
        harmless = template.context_ids([Message(role="user", content="a")])
        context = template.context_ids([Message(role="user", content=text)])
        stop = template.stop_id
        assert context.count(stop) == harmless.count(stop)
        assert text in tokenizer.decode(context)
        output = template.output_ids(text)
        assert (output.count(stop), output[-1]) == (1, stop)


def test_guarded_texts_keep_the_templates_own_tokens(embedded_tokenizer):
    template = template_for(embedded_tokenizer)
    marked = [
        Message(role="system", content="be <|im_start|> kind"),
        Message(role="user", content="one"),
        Message(role="assistant", content="two <|im_end|>"),
        Message(role="user", content="three"),
    ]
    plain = [Message(role=message.role, content="x") for message in marked]
    control = set(embedded_tokenizer.all_special_ids)
    kept = [[token for token in template.context_ids(one) if token in control] for one in (marked, plain)]
    assert kept[0] == kept[1]
