"""An adapter goes with one base; on any other it is refused, and both are named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from instructglm.config.tuning import LoraTuning
from instructglm.core.errors import ModelError
from instructglm.models.loading import load
from instructglm.tuning import METHODS, load_adapter, note_base, require_base


@pytest.fixture
def adapter(tiny_model, tmp_path) -> Path:
    tuned = METHODS["lora"](load(tiny_model)[0], LoraTuning(rank=2), dtype=torch.float32, seed=1)
    tuned.save(tmp_path / "adapter")
    note_base(tmp_path / "adapter", str(tiny_model))
    return tmp_path / "adapter"


def other(tiny_model: Path, folder: Path, **changes) -> Path:
    """A model like the tiny one, with other sizes or only other numbers."""
    config = load(tiny_model)[0].config
    for name, value in changes.items():
        setattr(config, name, value)
    torch.manual_seed(1)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def test_a_base_of_other_sizes_is_refused_with_both_names(tiny_model, adapter, tmp_path):
    wider = other(tiny_model, tmp_path / "wider", hidden_size=64, head_dim=16)
    with pytest.raises(ModelError, match="made for another model: size mismatch") as caught:
        load_adapter(load(wider)[0], adapter)
    assert f"it was trained on {tiny_model}; the base is {wider}" in str(caught.value)


def test_a_base_with_fewer_layers_is_refused(tiny_model, adapter, tmp_path):
    shallow = other(tiny_model, tmp_path / "shallow", num_hidden_layers=1)
    with pytest.raises(ModelError, match=r"no layer for .*layers\.1.*, and 13 more"):
        load_adapter(load(shallow)[0], adapter)


def test_an_adapter_that_lacks_weights_is_refused(tiny_model, adapter):
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"target_modules": ["q_proj", "lm_head"]}))
    with pytest.raises(ModelError, match="adapter: damaged, or made for another model"):
        load_adapter(load(tiny_model)[0], adapter)


@pytest.mark.parametrize("changes", [{}, {"num_hidden_layers": 3}], ids=["other numbers", "more layers"])
def test_a_base_of_other_weights_is_refused_with_both_names(tiny_model, adapter, tmp_path, changes):
    unlike = other(tiny_model, tmp_path / "unlike", **changes)
    with pytest.raises(ModelError, match=r"its weights are others \(model\.safetensors\)") as caught:
        require_base(adapter, str(unlike))
    assert f"{adapter}: trained on {tiny_model}; the base is now {unlike}" in str(caught.value)


def test_the_same_base_elsewhere_and_an_adapter_that_notes_none_go_through(tiny_model, adapter, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "moved")
    require_base(adapter, str(tmp_path / "moved"))
    (adapter / "base_model.json").unlink()
    require_base(adapter, str(other(tiny_model, tmp_path / "unlike")))
