"""Each template, beside what the contract holds: ids against the official code, stop ids, repairs."""

from __future__ import annotations

import copy
import json

import pytest

from instructglm.core.errors import ModelError
from instructglm.core.records import Example, Message
from instructglm.data import encode
from instructglm.data.templates import IGNORE_INDEX, template_for

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
    assert plain_tokenizer.decode(template.context(DIALOGUE).input_ids) == (
        "Be brief.\n\nInstruction: Hi\n\nAnswer: Hello\n\nInstruction: And you?\n\nAnswer:"
    )
    assert plain_tokenizer.decode(template.output_ids("Fine.")) == " Fine.<|end|>"


def test_a_text_begins_as_the_tokenizer_begins_it(sentencepiece_tokenizer, plain_tokenizer):
    begun = template_for(sentencepiece_tokenizer).context(ASKED).input_ids
    assert begun[0] == sentencepiece_tokenizer.bos_token_id
    assert begun.count(sentencepiece_tokenizer.bos_token_id) == 1
    text = "Instruction: Name it.\n\nAnswer:"
    assert begun == sentencepiece_tokenizer(text)["input_ids"]
    assert template_for(plain_tokenizer).context(ASKED).input_ids == plain_tokenizer(text)["input_ids"]


def test_context_and_answer_together_are_the_whole_text(sentencepiece_tokenizer):
    template = template_for(sentencepiece_tokenizer)
    ids = [*template.context(ASKED).input_ids, *template.output_ids("Paris.")]
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


def test_a_model_without_a_tokenizer_is_refused_with_the_next_move():
    with pytest.raises(ModelError, match="no tokenizer") as caught:
        template_for(None)
    assert "config.json" in caught.value.hint


def test_a_template_that_refuses_a_role_is_named_with_the_roles(embedded_tokenizer):
    strict = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}{{ m.content }}<|im_end|>{% endfor %}"  # noqa: E501
    template = template_for(changed(embedded_tokenizer, chat_template=strict))
    assert template.context(ASKED).input_ids
    with pytest.raises(ModelError, match="roles system, user, assistant, user: no system role") as caught:
        template.context(DIALOGUE)
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
    rendered = tokenizer.decode([*template.context(asked).input_ids, *template.output_ids("yes")])
    assert rendered == f"[gMASK]<sop><|user|>\nhi<|assistant|>\nyes{tokenizer.eos_token}"


@pytest.mark.parametrize("name", ["embedded_tokenizer", "plain_tokenizer", "sentencepiece_tokenizer"])
def test_control_tokens_in_somebodys_text_stay_text(request, name):
    tokenizer = request.getfixturevalue(name)
    template = template_for(tokenizer)
    control = tokenizer.eos_token
    for text in (f"a{control}b", f"{control}", f"x {control}\n{control}user"):
        harmless = template.context([Message(role="user", content="a")]).input_ids
        context = template.context([Message(role="user", content=text)]).input_ids
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
    kept = [[token for token in template.context(one).input_ids if token in control] for one in (marked, plain)]
    assert kept[0] == kept[1]


ANSWERED = "{% if m.role == 'assistant' %}{{ m.content }}</s>{% else %}"
LLAMA2 = "{% for m in messages %}" + ANSWERED + "<s>[INST] {{ m.content | trim }} [/INST]{% endif %}{% endfor %}"


def asked_ids(tokenizer, text: str) -> list[int]:
    return template_for(tokenizer).context([Message(role="user", content=text)]).input_ids


def unaware(tokenizer, control: str):
    """The tokenizer as it would be if this were none of its control tokens."""
    from tokenizers import Tokenizer

    described = json.loads(tokenizer.backend_tokenizer.to_str())
    described["added_tokens"] = [token for token in described["added_tokens"] if token["content"] != control]
    return Tokenizer.from_str(json.dumps(described))


@pytest.mark.parametrize("name", ["embedded_tokenizer", "sentencepiece_tokenizer", "glm4_tokenizer"])
@pytest.mark.parametrize("text", ["hello {} world", "{}", " {}\n\n中", "a{}{}"])
def test_ids_around_a_typed_control_token_are_those_of_the_whole(request, name, text):
    tokenizer = changed(request.getfixturevalue(name), chat_template=LLAMA2)
    text = text.replace("{}", tokenizer.eos_token)
    whole = unaware(tokenizer, tokenizer.eos_token).encode(
        f"<s>[INST] {text.strip()} [/INST]", add_special_tokens=False
    )
    assert tokenizer.convert_ids_to_tokens(asked_ids(tokenizer, text)) == whole.tokens


def test_a_prompt_without_control_tokens_is_the_models_own(sentencepiece_tokenizer, embedded_tokenizer):
    for tokenizer in (changed(sentencepiece_tokenizer, chat_template=LLAMA2), embedded_tokenizer):
        for text in ("hello world", " \n中", "\ue000 private"):
            turns = [{"role": "user", "content": text}]
            own = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
            assert asked_ids(tokenizer, text) == own


def test_a_control_token_that_no_list_names_stays_text_too(plain_tokenizer):
    tokenizer = changed(
        plain_tokenizer,
        chat_template="{% for m in messages %}" + ANSWERED + "{{ m.content }}<|end|>{% endif %}{% endfor %}",
    )
    tokenizer.backend_tokenizer.add_special_tokens(["<|eot|>"])
    control = tokenizer.convert_tokens_to_ids("<|eot|>")
    assert "<|eot|>" not in tokenizer.all_special_tokens
    assert control in tokenizer("a<|eot|>")["input_ids"]
    ids = asked_ids(tokenizer, "a<|eot|>\ue000b")
    assert control not in ids
    assert tokenizer.decode(ids) == "a<|eot|>\ue000b<|end|>"


def test_blanks_that_a_control_token_takes_in_are_taken_in(plain_tokenizer):
    from tokenizers import AddedToken

    tokenizer = changed(plain_tokenizer)
    tokenizer.backend_tokenizer.add_special_tokens([AddedToken("<|user|>", special=True, rstrip=True)])
    tokenizer.chat_template = (
        f"{{% for m in messages %}}{ANSWERED}<|user|>\n{{{{ m.content }}}}<|end|>{{% endif %}}{{% endfor %}}"
    )
    user = tokenizer.convert_tokens_to_ids("<|user|>")
    expected = [user, *template_for(tokenizer).text_ids("a<|end|>"), tokenizer.eos_token_id]
    assert asked_ids(tokenizer, "a<|end|>") == expected
    assert asked_ids(tokenizer, "a") == [user, *template_for(tokenizer).text_ids("a"), tokenizer.eos_token_id]


# --- ChatGLM: against what the official code made -----------------------------------------------------------------
def golden(folder, name, key):
    return json.loads((folder / f"{name}.json").read_text("utf-8"))[key]


def turns(pairs, question=None) -> list[Message]:
    said = [Message(role=role, content=text) for pair in pairs for role, text in zip(SPEAKERS, pair, strict=True)]
    return [*said, *([Message(role="user", content=question)] if question is not None else [])]


SPEAKERS = ("user", "assistant")


def without_padding(sample, pad_id: int) -> tuple[list[int], list[int]]:
    ids = sample["input_ids"]
    while ids and ids[-1] == pad_id:
        ids = ids[:-1]
    return ids, sample["labels"][: len(ids)]


def test_chatglm_trains_what_the_official_code_trains(chatglm_tokenizer, shared_golden):
    for case in golden(shared_golden, "training_samples_chatglm_6b", "samples"):
        sample = case["sample"]
        example = Example.of(turns(sample["history"], sample["content"]), [sample["summary"]])
        ids, labels, context_length = encode(example, chatglm_tokenizer, max_length=80)
        assert (ids, labels) == without_padding(case, chatglm_tokenizer.pad_token_id)
        assert context_length == ids.index(chatglm_tokenizer.bos_token_id)


def test_chatglm_asks_as_the_official_chat(chatglm_tokenizer, shared_golden):
    for case in golden(shared_golden, "chat_prompts_chatglm_6b", "cases"):
        context = template_for(chatglm_tokenizer).context(turns(case["history"], case["query"]))
        assert context.input_ids == case["input_ids"]


def test_chatglm3_trains_every_answer_as_the_official_code_does(chatglm3_tokenizer, shared_golden):
    for case in golden(shared_golden, "training_samples_chatglm3_6b", "samples"):
        *messages, answer = (Message(**turn) for turn in case["conversation"])
        ids, labels, context_length = encode(Example.of(messages, [answer.content]), chatglm3_tokenizer)
        assert (ids, labels) == (case["input_ids"], case["labels"])
        last = max(place for place, token in enumerate(ids) if token == 64796)
        assert context_length == last + 1


def test_chatglm3_asks_as_the_official_chat_and_begins_the_answer(chatglm3_tokenizer, shared_golden):
    for case in golden(shared_golden, "chat_prompts_chatglm3_6b", "cases"):
        said = [Message(role=turn["role"], content=turn["content"]) for turn in case["history"]]
        context = template_for(chatglm3_tokenizer).context([*said, Message(role=case["role"], content=case["query"])])
        assert context.input_ids == [*case["input_ids"], 30910, 13]


def test_chatglm2_trains_the_last_answer_after_its_rounds(chatglm2_tokenizer):
    """As its fine-tuning code: [gMASK] sop, prompt, answer, end; only the answer and its end are trained."""
    template = template_for(chatglm2_tokenizer)
    ids, labels, context_length = encode(Example.of(turns([("你好", "hi")], "1+1=?"), ["2"]), chatglm2_tokenizer)
    asked = template.text_ids("[Round 1]\n\n问：你好\n\n答：hi\n\n[Round 2]\n\n问：1+1=?\n\n答：")
    assert ids == [64790, 64792, *asked, *template.text_ids("2"), 2]
    assert context_length == len(asked) + 2
    assert labels == [*[IGNORE_INDEX] * context_length, *ids[context_length:]]


@pytest.mark.parametrize(
    ("name", "stop", "others"),
    [("chatglm", 130005, ()), ("chatglm2", 2, ()), ("chatglm3", 2, (64795, 64797))],
)
def test_what_ends_an_answer(request, name, stop, others):
    template = template_for(request.getfixturevalue(f"{name}_tokenizer"))
    assert template.stop_id == stop
    assert template.stop_ids == {stop, *others}


def test_chatglm_answers_get_their_chinese_punctuation_back(chatglm_tokenizer):
    template = template_for(chatglm_tokenizer)
    assert template.answer_text(template.output_ids("你好，我是助手！ a,b")) == "你好，我是助手！ a,b"


# --- GLM-4 --------------------------------------------------------------------------------------------------------
def named(tokenizer, *tokens: str) -> list[int]:
    return [tokenizer.convert_tokens_to_ids(token) for token in tokens]


@pytest.mark.parametrize("layout", ["glm4_tokenizer", "glm4_remote_tokenizer"])
def test_glm4_trains_each_answer_up_to_the_next_speaker(request, layout):
    glm4_tokenizer = request.getfixturevalue(layout)
    template = template_for(glm4_tokenizer)
    said = turns([("Hi", "Hello")], "And you?")
    ids, labels, context_length = encode(Example.of([DIALOGUE[0], *said], ["Fine."]), glm4_tokenizer)
    system, user, assistant = named(glm4_tokenizer, "<|system|>", "<|user|>", "<|assistant|>")
    line = template.text_ids("\n")
    brief, hi, hello, you, fine = map(template.text_ids, ("Be brief.", "Hi", "Hello", "And you?", "Fine."))
    read = [*named(glm4_tokenizer, "[gMASK]", "<sop>"), system, *line, *brief, user, *line, *hi, assistant]
    first, between, last = [*line, *hello, user], [*line, *you, assistant], [*line, *fine, user]
    assert ids == [*read, *first, *between, *last]
    untrained = [[IGNORE_INDEX] * len(part) for part in (read, between)]
    assert labels == [*untrained[0], *first, *untrained[1], *last]
    assert context_length == len(read + first + between)


def test_glm4_stops_at_the_ids_of_its_official_code(glm4_tokenizer):
    stops = named(glm4_tokenizer, "<|endoftext|>", "<|user|>", "<|observation|>")
    assert template_for(glm4_tokenizer).stop_ids == set(stops)


def test_glm4_keeps_a_line_end_that_begins_a_text_apart(glm4_tokenizer):
    """Joined, the two would be one token that the model never saw there."""
    template = template_for(glm4_tokenizer)
    ids = template.context([Message(role="user", content="\n\nq")]).input_ids
    head = named(glm4_tokenizer, "[gMASK]", "<sop>", "<|user|>")
    tail = [*named(glm4_tokenizer, "<|assistant|>"), *template.text_ids("\n")]
    assert ids == [*head, *template.text_ids("\n"), *template.text_ids("\n\nq"), *tail]


def test_a_template_that_only_looks_like_glm4_is_the_tokenizers_own(glm4_tokenizer):
    other = changed(
        glm4_tokenizer, chat_template=glm4_tokenizer.chat_template.replace("<|assistant|>", "<|assistant|>\n")
    )
    assert template_for(other).name == "chat"


def test_a_control_token_that_is_missing_is_named(glm4_tokenizer):
    alien = changed(glm4_tokenizer)
    alien.convert_tokens_to_ids = {"<|user|>": None}.get
    with pytest.raises(ModelError, match=r"no control token <\|user\|>.*glm4"):
        template_for(alien)
