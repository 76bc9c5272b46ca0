"""The native model gives what the official code gave."""

from __future__ import annotations

import json
from pathlib import Path

import chatglm_reference
import pytest
import torch
from safetensors.torch import load_file, save_file

from instructglm.models import load
from instructglm.models.chatglm.configuration import ChatGLMConfig
from instructglm.models.chatglm.layers import inverse_frequencies, rotation
from instructglm.models.chatglm.layout import documents, find_layout

CASES = ["v1_single_prompt", "v1_single_prompt_long", "v1_train_batch", "v1_28layers_single_prompt"]


@pytest.fixture(scope="module")
def official_folder(shared_golden: Path, tmp_path_factory: pytest.TempPathFactory):
    """Folders that hold a config.json and a model.safetensors, as a user has them."""

    def make(name: str) -> Path:
        folder = tmp_path_factory.getbasetemp() / name
        if not folder.exists():
            folder.mkdir()
            config = json.loads((shared_golden / f"{name}.json").read_text())["config"]
            (folder / "config.json").write_text(json.dumps(config))
            save_file(load_file(shared_golden / f"{name}.safetensors"), folder / "model.safetensors")
        return folder

    return make


def read(shared_golden: Path, case: str):
    return json.loads((shared_golden / f"{case}.json").read_text()), load_file(shared_golden / f"{case}.safetensors")


@pytest.mark.parametrize("attention", ["eager", "sdpa", "flex_attention"])
@pytest.mark.parametrize("case", CASES)
def test_logits_hidden_states_and_loss(shared_golden, official_folder, case, attention):
    about, tensors = read(shared_golden, case)
    model, tokenizer = load(official_folder(about["model"]), attn_implementation=attention)
    with torch.no_grad():
        out = model(input_ids=tensors["input_ids"], labels=tensors.get("labels"), output_hidden_states=True)
    assert tokenizer is None
    torch.testing.assert_close(out.logits, tensors["logits"], atol=5e-5, rtol=0)
    if "loss" in tensors:
        torch.testing.assert_close(out.loss.reshape(1), tensors["loss"], atol=1e-5, rtol=0)
    if "hidden_states" in tensors:
        torch.testing.assert_close(torch.stack(out.hidden_states), tensors["hidden_states"], atol=2e-4, rtol=0)


@pytest.mark.parametrize("attention", ["eager", "sdpa", "flex_attention"])
@pytest.mark.parametrize("case", CASES)
def test_inputs_as_the_official_tokenizer_makes_them(shared_golden, official_folder, case, attention):
    """Two rows of positions, and a mask in which True hides; or the same mask turned round."""
    about, tensors = read(shared_golden, case)
    model, _ = load(official_folder(about["model"]), attn_implementation=attention)
    for mask in (tensors["attention_mask"], ~tensors["attention_mask"]):
        for positions in (tensors["position_ids"], None):
            with torch.no_grad():
                out = model(input_ids=tensors["input_ids"], attention_mask=mask, position_ids=positions)
            torch.testing.assert_close(out.logits, tensors["logits"], atol=5e-5, rtol=0)


@pytest.mark.parametrize("case", CASES)
def test_positions_and_mask(shared_golden, case):
    about, tensors = read(shared_golden, case)
    config = ChatGLMConfig(**json.loads((shared_golden / f"{about['model']}.json").read_text())["config"])
    ids = tensors["input_ids"]
    positions = torch.arange(ids.shape[1]).expand(ids.shape)
    found = find_layout(ids, positions, documents(positions, packed=False), None, config)
    assert torch.equal(found.two_rows(), tensors["position_ids"])
    blocks = found.blocks(0)
    both_ways = (blocks[:, :, None] == blocks[:, None, :]) & (blocks[:, :, None] >= 0)
    seen = both_ways | (positions[:, None, :] <= positions[:, :, None])
    assert torch.equal(~seen, tensors["attention_mask"].squeeze(1))


def test_rotary_tables(shared_golden):
    _, tensors = read(shared_golden, "v1_rotary_tables")
    config = ChatGLMConfig()
    frequencies = inverse_frequencies(config)
    assert torch.equal(torch.tensor(frequencies).half(), tensors["inv_freq_fp16"])
    rows = tensors["rows"][None, None].expand(1, 2, -1)  # both rows alike
    cosines, sines = rotation(rows, frequencies, torch.float32)
    torch.testing.assert_close(cosines[0, 0, :, 0], tensors["cos_fp32"], atol=1e-6, rtol=0)
    torch.testing.assert_close(sines[0, 0, :, 1], tensors["sin_fp32"], atol=1e-6, rtol=0)


@pytest.mark.parametrize("case", CASES)
def test_the_plain_reference_gives_it_too(shared_golden, case):
    """What other tests compare with is itself held to the official numbers."""
    about, tensors = read(shared_golden, case)
    weights = load_file(shared_golden / f"{about['model']}.safetensors")
    config = ChatGLMConfig(**json.loads((shared_golden / f"{about['model']}.json").read_text())["config"])
    for ids, expected in zip(tensors["input_ids"].tolist(), tensors["logits"], strict=True):
        torch.testing.assert_close(chatglm_reference.logits(weights, config, ids), expected, atol=5e-5, rtol=0)
