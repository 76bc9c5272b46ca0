"""What a model refuses to read, whoever calls it; and that nothing else notices."""

from __future__ import annotations

import copy

import pytest
import torch

from instructglm.core.errors import ModelError
from instructglm.models.guard import require_ids, require_length
from instructglm.models.loading import load

WINDOW, VOCABULARY = 256, 97  # of the tiny checkpoint
IDS = torch.tensor([[5, 6, 7, 8]])


@pytest.fixture
def model(checkpoint):
    return load(checkpoint())[0]


@pytest.fixture
def whole(checkpoint, tmp_path):
    """The same in transformers' own layout."""
    load(checkpoint())[0].save_pretrained(tmp_path / "saved")
    return load(tmp_path / "saved")[0]


@pytest.mark.parametrize("wrong", [VOCABULARY, -1, 130005])
@pytest.mark.parametrize("name", ["model", "whole"])
def test_an_id_that_no_embedding_has_is_named(request, name, wrong):
    ids = torch.tensor([[5, wrong, 7]])
    model = request.getfixturevalue(name)
    calls = (lambda: model(ids), lambda: model(input_ids=ids), lambda: model.generate(ids, max_new_tokens=2))
    for call in calls:
        with pytest.raises(ModelError, match=f"id {wrong} in input_ids is not in this model's vocabulary of 97") as e:
            call()
        assert "tokenizer" in e.value.hint


def test_more_than_the_window_is_refused_and_the_window_is_read(model):
    ids = torch.full((1, WINDOW + 1), 5)
    with torch.no_grad():
        model(ids[:, :WINDOW])
        with pytest.raises(ModelError, match="a sequence has 257 tokens; this model reads 256"):
            model(ids)
        with pytest.raises(ModelError, match="257 tokens"):
            model(inputs_embeds=model.get_input_embeddings()(ids))
        cache = model(ids[:, :200], use_cache=True).past_key_values
        with pytest.raises(ModelError, match="257 tokens"):
            model(ids[:, :57], past_key_values=cache)


def test_positions_count_where_they_are_given(model):
    """Documents in one row, each from 0, are no longer than the longest of them."""
    packed = torch.arange(200).repeat(1, 2)
    with torch.no_grad():
        model(torch.full((1, 400), 5), position_ids=packed)
        with pytest.raises(ModelError, match="a sequence has 301 tokens"):
            model(IDS, position_ids=torch.tensor([[0, 1, 2, 300]]))


def test_nothing_of_it_is_saved(model, tmp_path):
    model.save_pretrained(tmp_path)
    again = load(tmp_path)[0]
    assert again.state_dict().keys() == model.state_dict().keys()
    with torch.no_grad():
        expected = model(IDS).logits
        assert torch.equal(again(IDS).logits, expected)
        assert torch.equal(copy.deepcopy(model)(IDS).logits, expected)


def test_an_adapter_does_not_go_past_it(model):
    from peft import LoraConfig, get_peft_model

    tuned = get_peft_model(model, LoraConfig(target_modules=["q_proj"], task_type="CAUSAL_LM"))
    with pytest.raises(ModelError, match="id 97"):
        tuned(input_ids=torch.tensor([[5, 97]]))
    tuned(input_ids=IDS, labels=IDS).loss.backward()


def test_training_with_checkpoints_goes_through_it(model):
    model.train()
    model.gradient_checkpointing_enable()
    model(input_ids=IDS, labels=IDS).loss.backward()
    assert all(weight.grad is not None for weight in model.parameters())


def test_a_larger_vocabulary_is_a_larger_one(model):
    model.resize_token_embeddings(VOCABULARY + 3)
    with torch.no_grad():
        model(torch.tensor([[5, VOCABULARY + 2]]))


def test_a_compiled_model_is_one_graph_and_computes_the_same(model):
    with torch.no_grad():
        compiled = torch.compile(model, fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(IDS).logits, model(IDS).logits)


def test_the_checks_themselves():
    require_ids(torch.tensor([[0, 9]]), 10)
    require_length(5, 5, "seq_length")
    with pytest.raises(ModelError, match="id 10 ") as caught:
        require_ids(torch.tensor([[0, 10]]), 10, hint="Elsewhere.")
    assert caught.value.hint == "Elsewhere."
    with pytest.raises(ModelError, match=r"6 tokens; this model reads 5 \(seq_length in config.json\)"):
        require_length(6, 5, "seq_length")
