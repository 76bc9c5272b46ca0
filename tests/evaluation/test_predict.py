"""Predictions against the plainest way to make them: one prompt at a time, nothing cached, nothing padded."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from transformers import GlmConfig, GlmForCausalLM

from instructglm.config.data import DataSettings
from instructglm.config.evaluation import EvaluationSettings
from instructglm.core.progress import SilentProgress
from instructglm.core.records import Example, Message, Output, example_id, prompt_hash
from instructglm.data.templates import template_for
from instructglm.evaluation.predict import Predictor, predict
from instructglm.models.loading import load

SETTINGS = EvaluationSettings(max_new_tokens=12, max_new_tokens_closed=5, batch_size=32)
DATA = DataSettings.model_validate({"sources": [{"path": "a"}], "max_length": 200})
CLOSED = [
    ("Is it good?", ("yes", "no")),  # one token each
    ("What is the weather like in the city on the hill?", ("sunny with clouds", "rain", "extraordinarily windy")),
    ("情感是什么？", ("积极", "消极", "中性的情感")),
    ("Which?", ("a", "b", "c", "dd dd dd dd", "鑫")),
    ("x", ("only this",)),
]
OPEN = ["Tell me a joke.", "讲一个关于鑫森淼焱垚的笑话，要很长很长的那种。", "Hi"]


def example(prompt: str, choices: tuple[str, ...] = ()) -> Example:
    messages = (Message(role="user", content=prompt),)
    return Example(
        id=example_id("t", messages), task="closed" if choices else "open", messages=messages, choices=choices,
        outputs=(Output(text=choices[0] if choices else "x"),), group=prompt_hash(messages), row=f"a:{prompt}",
    )  # fmt: skip


# open and closed in turn, lengths up and down
MIXED = [
    example(*item) if isinstance(item, tuple) else example(item)
    for pair in zip(CLOSED, [*OPEN, "Why is the sky blue at noon?", "为什么？"], strict=True)
    for item in pair
]


def _chatglm(request):
    """Its answers are read one way and its context both ways, so that a cache needs to know where the context ends."""
    from instructglm.models.chatglm.configuration import ChatGLMConfig
    from instructglm.models.chatglm.modeling import ChatGLMForCausalLM

    config = ChatGLMConfig(hidden_size=32, num_layers=2, num_attention_heads=2, inner_hidden_size=64)
    return ChatGLMForCausalLM(config), request.getfixturevalue("chatglm_tokenizer")


def _glm4(request):
    tokenizer = request.getfixturevalue("glm4_tokenizer")
    config = GlmConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return GlmForCausalLM(config), tokenizer


MODELS = {
    "llama": lambda request: load(request.getfixturevalue("tiny_model")),
    "chatglm": _chatglm,
    "glm4": _glm4,
}


@pytest.fixture(scope="module", params=MODELS)
def predictor(request) -> Predictor:
    torch.manual_seed(0)
    model, tokenizer = MODELS[request.param](request)
    return Predictor("tiny", model.eval(), template_for(tokenizer), torch.device("cpu"), torch.float32)


def predictions(predictor, examples=MIXED, data=DATA, **settings):
    return predict(predictor, examples, SETTINGS.model_copy(update=settings), data, SilentProgress())


@pytest.fixture(scope="module")
def mixed(predictor):
    return predictions(predictor)


def plain_logprob(predictor: Predictor, one: Example, choice: str) -> float:
    """The definition: log p of the choice's tokens after the prompt, in one forward pass over both."""
    context = predictor.template.context(one.messages).input_ids
    answer = predictor.template.output_ids(choice)[:-1]
    with torch.no_grad():
        logits = predictor.model(input_ids=torch.tensor([context + answer])).logits[0]
    logprobs = logits.log_softmax(-1)
    return sum(float(logprobs[len(context) + place - 1, token]) for place, token in enumerate(answer))


def plain_answer(predictor: Predictor, one: Example, limit: int) -> list[int]:
    ids = torch.tensor([predictor.template.context(one.messages).input_ids])
    stop = sorted(predictor.template.stop_ids)
    made = predictor.model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=limit, do_sample=False, eos_token_id=stop
    )
    return made[0, ids.shape[1] :].tolist()


def test_results_come_in_the_order_of_the_examples(mixed):
    assert [one.example_id for one in mixed] == [one.id for one in MIXED]
    assert [one.task for one in mixed] == [one.task for one in MIXED]
    assert {one.model for one in mixed} == {"tiny"}
    assert not any(one.unscored for one in mixed)


def test_choice_likelihoods_are_those_of_a_plain_forward_pass(predictor, mixed):
    for one, predicted in zip(MIXED, mixed, strict=True):
        expected = [plain_logprob(predictor, one, choice) for choice in one.choices]
        assert predicted.choice_logprobs == pytest.approx(expected, abs=1e-4), one.row


def test_answers_are_those_of_plain_generation(predictor, mixed):
    for one, predicted in zip(MIXED, mixed, strict=True):
        ids = plain_answer(predictor, one, 5 if one.choices else 12)
        assert predicted.text == predictor.template.answer_text(ids), one.row
        assert predicted.num_tokens == len(ids)
        assert predicted.finish_reason == ("stop" if ids[-1] in predictor.stop_ids else "length")


@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_batch_changes_no_prediction(predictor, mixed, batch_size):
    for one, other in zip(predictions(predictor, batch_size=batch_size), mixed, strict=True):
        assert one.model_dump(exclude={"choice_logprobs"}) == other.model_dump(exclude={"choice_logprobs"})
        assert one.choice_logprobs == pytest.approx(other.choice_logprobs, abs=1e-4)


def test_equal_calls_give_equal_bits(predictor, mixed):
    assert predictions(predictor) == mixed


def test_without_written_answers_closed_items_keep_their_likelihoods_and_open_ones_their_answers(predictor, mixed):
    found = predict(predictor, MIXED, SETTINGS, DATA, SilentProgress(), closed_in_writing=False)
    assert [one.choice_logprobs for one in found] == [one.choice_logprobs for one in mixed]
    for example, one, whole in zip(MIXED, found, mixed, strict=True):
        written = ("", 0, "none") if example.choices else (whole.text, whole.num_tokens, whole.finish_reason)
        assert (one.text, one.num_tokens, one.finish_reason) == written


def test_an_answer_stops_at_each_of_the_stop_tokens(predictor):
    """A head that always says the same stop token: one token, no text."""
    model = copy.deepcopy(predictor.model)
    for stop in sorted(predictor.template.stop_ids):
        model.lm_head = torch.nn.Linear(32, model.config.vocab_size)
        torch.nn.init.zeros_(model.lm_head.weight)
        with torch.no_grad():
            model.lm_head.bias.copy_(5.0 * (torch.arange(model.config.vocab_size) == stop))
        for one in predictions(dataclasses.replace(predictor, model=model), MIXED[:4]):
            assert (one.text, one.num_tokens, one.finish_reason) == ("", 1, "stop")


def test_a_prompt_that_is_too_long_is_unscored_and_says_why(predictor):
    long = example("很长 " * 300, ("yes", "no"))
    first, second, third = predictions(predictor, [MIXED[0], long, MIXED[1]])
    assert second.unscored == "prompt too long for max_length 200"
    assert (second.example_id, second.text, second.choice_logprobs) == (long.id, "", ())
    assert (first.unscored, third.unscored) == (None, None)


def test_the_longest_choice_must_fit_too(predictor):
    one = example("Which?", ("a", "b " * 30))
    context = len(predictor.template.context(one.messages).input_ids)
    longest = len(predictor.template.output_ids("b " * 30))
    exact = DATA.model_copy(update={"max_length": context + longest})
    less = DATA.model_copy(update={"max_length": context + longest - 1})
    assert predictions(predictor, [one], exact)[0].unscored is None
    assert predictions(predictor, [one], less)[0].unscored


def test_under_truncate_prompt_a_long_prompt_is_cut_and_scored(predictor):
    long = example("很长 " * 300 + "End?", ("yes", "no"))
    cut = DATA.model_copy(update={"overlong": "truncate_prompt"})
    (one,) = predictions(predictor, [long], cut)
    assert one.unscored is None
    assert len(one.choice_logprobs) == 2
    assert one.num_prompt_tokens_cut > 0
    (whole,) = predictions(predictor, [example("End?", ("yes", "no"))], cut)
    assert whole.num_prompt_tokens_cut == 0


def test_nothing_is_predicted_of_nothing(predictor):
    assert predictions(predictor, []) == []


def test_only_unscored_prompts_make_no_batch(predictor):
    (one,) = predictions(predictor, [example("很长 " * 300)])
    assert one.unscored
