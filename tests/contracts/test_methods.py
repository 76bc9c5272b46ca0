"""What every registered tuning method keeps to, on a tiny Llama and on a tiny ChatGLM-6B."""

from contextlib import nullcontext
from typing import get_args

import pytest
import tiny_chatglm
import torch
from pydantic import TypeAdapter
from torch.testing import assert_close

from instructglm.config.tuning import Tuning
from instructglm.models.loading import load
from instructglm.tuning import METHODS, adapter_off, load_adapter

SETTINGS = {name: TypeAdapter(Tuning).validate_python({"method": name}) for name in METHODS}
IDS = torch.tensor([[*tiny_chatglm.prompt(14), 11, 12, 13, 14]])  # a Llama reads them too


@pytest.fixture(scope="module", params=["llama", "chatglm"])
def folder(request, tmp_path_factory):
    if request.param == "llama":
        return request.getfixturevalue("tiny_model")
    folder = tmp_path_factory.mktemp("chatglm")
    tiny_chatglm.build().save_pretrained(folder)
    return folder


@pytest.fixture(params=METHODS)
def settings(request):
    return SETTINGS[request.param]


def apply(folder, settings, dtype=torch.float32, seed=3):
    model, _ = load(folder)
    return METHODS[settings.method](model, settings, dtype=dtype, seed=seed)


@pytest.fixture
def tuned(folder, settings):
    return apply(folder, settings)


def logits(model):
    with torch.no_grad():
        return model.eval()(input_ids=IDS).logits


def test_the_configuration_names_them_all():
    tagged = get_args(get_args(Tuning)[0])
    assert {get_args(one)[0].model_fields["method"].annotation.__args__[0] for one in tagged} == set(METHODS)


def test_starts_as_the_model_it_was_given(folder, tuned, settings):
    """A prefix is read from the first step on, or there would be nothing to train; without it the model is the old."""
    with adapter_off(tuned.model) if settings.method == "prefix" else nullcontext():
        assert torch.equal(logits(tuned.model), logits(load(folder)[0]))


def test_some_weights_move_and_they_are_counted(tuned):
    moving = tuned.trainable()
    assert 0 < tuned.num_trainable() <= tuned.num_parameters()
    assert tuned.num_trainable() == sum(weight.numel() for weight in moving.values())
    assert set(tuned.state()) == set(moving)


def test_a_step_moves_what_is_said_to_move_and_nothing_else(tuned):
    before = {name: weight.detach().clone() for name, weight in tuned.model.named_parameters()}
    optimizer = torch.optim.SGD(tuned.trainable().values(), lr=1.0)
    tuned.model.train()
    for _ in range(2):  # the second matrix of an adapter starts at zero and hides the first for a step
        tuned.model(input_ids=IDS, labels=IDS).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    moved = {name for name, weight in tuned.model.named_parameters() if not torch.equal(weight, before[name])}
    assert moved == set(tuned.trainable())


def test_moving_weights_are_float32_and_the_others_are_of_the_dtype_asked_for(folder, settings):
    tuned = apply(folder, settings, dtype=torch.bfloat16)
    for weight in tuned.model.parameters():
        assert weight.dtype == (torch.float32 if weight.requires_grad else torch.bfloat16)


def test_the_seed_alone_decides_the_start(folder, settings):
    torch.manual_seed(1)
    first = apply(folder, settings).state()
    drawn = torch.rand(1)
    torch.manual_seed(1)
    again = apply(folder, settings).state()
    assert torch.equal(drawn, torch.rand(1))  # and the global generator goes the same way
    torch.manual_seed(99)
    other_state = apply(folder, settings).state()
    assert all(torch.equal(first[name], again[name]) and torch.equal(first[name], other_state[name]) for name in first)


def test_a_state_can_be_taken_and_put_back(tuned):
    state = tuned.state()
    with torch.no_grad():
        for weight in tuned.trainable().values():
            weight.add_(1.0)
    assert not any(torch.equal(state[name], weight) for name, weight in tuned.trainable().items())
    tuned.load_state(state)
    assert_close(dict(tuned.state()), state, rtol=0, atol=0)


def test_what_it_leaves_behind_is_safetensors_only(tuned, tmp_path):
    tuned.save(tmp_path / tuned.name)
    names = {path.name for path in (tmp_path / tuned.name).iterdir()}
    assert [name for name in names if name.endswith(".safetensors")]
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pkl"))]


def test_what_it_leaves_behind_is_the_tuned_model_and_an_adapter_off_is_the_base(folder, tuned, tmp_path):
    with torch.no_grad():
        for weight in tuned.trainable().values():
            weight.add_(0.05 * torch.sign(weight) + 0.02)
    expected, base = logits(tuned.model), logits(load(folder)[0])
    tuned.save(tmp_path / tuned.name)
    assert not torch.allclose(expected, base, atol=1e-3)
    if tuned.name == "model":
        assert torch.equal(logits(load(tmp_path / "model")[0]), expected)
        return
    again = load_adapter(load(folder)[0], tmp_path / "adapter")
    assert torch.equal(logits(again), expected)
    with adapter_off(again):
        assert torch.equal(logits(again), base)
    assert torch.equal(logits(again), expected)
