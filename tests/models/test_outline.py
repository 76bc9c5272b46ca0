"""A model without its weights has the sizes of the one with them, of every family, and no weight file is needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from instructglm.core.errors import ModelError
from instructglm.models.loading import load, outline


def sizes(model) -> dict[str, tuple]:
    return {name: (tuple(weight.shape), weight.dtype) for name, weight in model.named_parameters()}


def assert_alike(path) -> None:
    model, empty = load(path)[0], outline(path)
    assert type(empty) is type(model)
    assert sizes(empty) == sizes(model)
    assert all(weight.is_meta for weight in empty.parameters())
    assert empty.num_parameters() == model.num_parameters()


@pytest.mark.parametrize("name", ["chatglm-tiny", "glm-tiny"])
def test_a_preset_is_outlined(name):
    assert_alike(name)


def test_a_folder_is_outlined_with_what_is_tied(tiny_model):
    assert_alike(tiny_model)
    assert outline(tiny_model).config.tie_word_embeddings


@pytest.mark.parametrize(
    "fields", [{"chatglm_version": "chatglm2"}, {"chatglm_version": "chatglm3"}, {"chatglm_version": "glm4_remote"}]
)
def test_an_official_layout_is_outlined(checkpoint, fields):
    assert_alike(checkpoint(**fields))


@pytest.mark.parametrize(("name", "number"), [("chatglm-6b", 6_173_286_400), ("chatglm3-6b", 6_243_584_000)])
def test_a_model_of_full_size_is_outlined_from_its_config(shared_tokenizers: Path, name: str, number: int):
    """Where only config.json and the tokenizer lie; the numbers are those of the published checkpoints."""
    assert not list((shared_tokenizers / name).glob("*.safetensors"))
    assert outline(shared_tokenizers / name).num_parameters() == number


def test_config_json_is_enough(tiny_model, tmp_path: Path):
    (tmp_path / "config.json").write_text((tiny_model / "config.json").read_text())
    assert sizes(outline(tmp_path)) == sizes(load(tiny_model)[0])


def test_attention_is_the_one_asked_for(tiny_model):
    assert outline(tiny_model, attn_implementation="eager").config._attn_implementation == "eager"
    with pytest.raises(ModelError, match="attn_implementation is 'eagre'"):
        outline(tiny_model, attn_implementation="eagre")


def test_a_type_that_nobody_knows_is_named(tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "nothing"}))
    with pytest.raises(ModelError, match="'nothing', which transformers does not know"):
        outline(tmp_path)


def test_a_model_that_is_not_on_this_machine_is_named(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"nobody/nothing: there is no such folder .* was not fetched earlier"):
        outline("nobody/nothing")
