"""Freeze tuning: the last layers, and the head with what it is tied to."""

import pytest
import torch
from torch import nn

from instructglm.config.tuning import FreezeTuning
from instructglm.core.errors import ModelError
from instructglm.models.loading import load
from instructglm.tuning.freeze import apply_freeze, decoder_layers


def moving(folder, **settings):
    model, _ = load(folder)
    tuned = apply_freeze(model, FreezeTuning(method="freeze", **settings), dtype=torch.float32, seed=0)
    return {name.split(".weight")[0] for name in tuned.trainable()}, tuned.name


def test_only_the_last_layers_move(tiny_model):
    names, left = moving(tiny_model, num_layers=1)
    assert names
    assert all(name.startswith("model.layers.1.") for name in names)
    assert left == "model"


def test_the_head_moves_with_what_it_is_tied_to(tiny_model):
    names, _ = moving(tiny_model, num_layers=1, train_head=True)
    assert {name for name in names if not name.startswith("model.layers.1.")} == {"model.embed_tokens"}


def test_more_layers_than_there_are_is_refused_with_the_next_move(tiny_model):
    with pytest.raises(ModelError, match=r"tuning.num_layers is 3, but the model has 2 layers") as caught:
        moving(tiny_model, num_layers=3)
    assert "method: full" in caught.value.hint


class Experts(nn.Module):
    """A layer with a longer list inside than the stack it stands in."""

    def __init__(self):
        super().__init__()
        self.experts = nn.ModuleList(nn.Linear(2, 2) for _ in range(8))


def test_the_stack_is_found_though_longer_lists_stand_inside_its_layers():
    model = nn.Sequential(nn.Embedding(3, 2), nn.ModuleList(Experts() for _ in range(4)))
    assert decoder_layers(model) is model[1]


def test_a_model_without_a_stack_is_refused_with_the_next_move():
    with pytest.raises(ModelError, match="cannot find the layers") as caught:
        decoder_layers(nn.Linear(2, 2))
    assert "lora" in caught.value.hint
