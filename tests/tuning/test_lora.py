"""LoRA: which layers get an update, and how large it is."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from instructglm.config.tuning import LoraTuning
from instructglm.core.errors import ModelError
from instructglm.models.loading import load
from instructglm.tuning.lora import apply_lora


def adapted(folder, seed=0, **settings):
    return apply_lora(load(folder)[0], LoraTuning(**settings), dtype=torch.float32, seed=seed)


def layers(tuned):
    return {name.split(".lora_")[0].rpartition(".")[2] for name in tuned.trainable()}


def test_all_linear_layers_but_the_head_get_an_update(tiny_model):
    expected = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert layers(adapted(tiny_model)) == expected


@pytest.mark.parametrize("targets", [["q_proj", "v_proj"], "q_proj"])
def test_named_layers_only(tiny_model, targets):
    tuned = adapted(tiny_model, targets=targets)
    assert layers(tuned) == ({targets} if isinstance(targets, str) else set(targets))


def test_an_update_has_rank_times_both_widths(tiny_model):
    shapes = {
        name: tuple(weight.shape) for name, weight in adapted(tiny_model, rank=3, targets="q_proj").trainable().items()
    }
    assert sorted(set(shapes.values())) == [(3, 32), (32, 3)]
    assert len(shapes) == 4  # two layers


def test_layers_of_gpt2_have_names_too(tmp_path):
    """They hold their weights the other way round, in a class of their own."""
    sizes = {"vocab_size": 120, "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 4}
    config = AutoConfig.for_model("gpt2", **sizes, bos_token_id=0, eos_token_id=1)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    assert layers(adapted(tmp_path)) == {"c_attn", "c_proj", "c_fc"}
    shapes = {tuple(weight.shape) for weight in adapted(tmp_path, rank=3, targets="c_attn").trainable().values()}
    assert shapes == {(3, 32), (96, 3)}


@pytest.mark.parametrize("targets", [["q_proj", "W_pack"], "W_pack"])
def test_a_layer_the_model_has_not_is_refused_with_those_it_has(tiny_model, targets):
    with pytest.raises(ModelError, match=r"tuning\.targets: this model has no linear layer called W_pack") as caught:
        adapted(tiny_model, targets=targets)
    assert "q_proj" in caught.value.hint
    assert "all-linear" in caught.value.hint


def test_another_seed_starts_elsewhere(tiny_model):
    first, other = adapted(tiny_model, seed=1).state(), adapted(tiny_model, seed=2).state()
    assert not all(torch.equal(first[name], other[name]) for name in first)
