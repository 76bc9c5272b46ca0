"""The one door: what it opens, and what it says where it does not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from instructglm.core.errors import ModelError
from instructglm.models.loading import load, load_tokenizer, model_fingerprint

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def copy(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def set_config(folder: Path, **fields: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def refusal(place: object) -> ModelError:
    """The error of loading, which has one line of fault and a next move."""
    with pytest.raises(ModelError) as caught:
        load(place)
    assert len(caught.value.faults) == 1
    assert "\n" not in caught.value.faults[0]
    assert caught.value.hint
    return caught.value


def test_a_folder_gives_model_and_tokenizer(tiny_model):
    model, tokenizer = load(tiny_model)
    assert not model.training
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert tokenizer.decode(tokenizer("你好, world")["input_ids"]) == "你好, world"


def test_dtype_and_attention_are_as_asked(tiny_model):
    model, _ = load(tiny_model, dtype=torch.bfloat16, attn_implementation="eager")
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    assert model.config._attn_implementation == "eager"


@pytest.mark.model
def test_the_embedded_model_pads_with_another_token_than_it_stops_with(embedded_tokenizer):
    from instructglm.data.templates import template_for

    assert embedded_tokenizer.pad_token_id != template_for(embedded_tokenizer).stop_id
    assert embedded_tokenizer.pad_token_id != embedded_tokenizer.eos_token_id


@pytest.mark.model
def test_the_embedded_model_goes_on_with_a_sentence_as_it_should():
    model, tokenizer = load("embedded")
    ids = tokenizer("The capital of France is", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        best = model(input_ids=ids).logits[0, -1].argmax()
    assert tokenizer.decode(best).strip() == "Paris"


def test_a_tokenizer_without_padding_pads_with_its_end(copy):
    path = copy / "tokenizer_config.json"
    fields = json.loads(path.read_text())
    del fields["pad_token"]
    path.write_text(json.dumps(fields))
    tokenizer = load_tokenizer(copy)
    assert tokenizer.pad_token_id == tokenizer.eos_token_id


# --- what cannot be loaded -----------------------------------------------------------------------------------------
def test_a_folder_that_is_no_model_says_what_it_holds(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    error = refusal(tmp_path)
    assert str(error).startswith(f"{tmp_path}: not a model: no config.json (found notes.txt)")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"model_type": "no-such"}', '{"model_type": "vit"}', "\x00"])
def test_a_broken_config_is_named(copy, content):
    (copy / "config.json").write_text(content)
    assert str(copy) in refusal(copy).faults[0]


@pytest.mark.parametrize("fields", [{"hidden_size": "x"}, {"hidden_size": 64}, {"num_attention_heads": 5}])
def test_a_config_that_does_not_fit_its_weights_is_refused(copy, fields):
    set_config(copy, **fields)
    refusal(copy)


def test_missing_weights_are_refused_not_drawn_at_random(copy):
    set_config(copy, num_hidden_layers=3)
    error = refusal(copy)
    assert "9 weights are missing, such as model.layers.2." in error.faults[0]


def test_tied_weights_are_not_missing(copy):
    from safetensors import safe_open

    with safe_open(copy / "model.safetensors", "pt") as file:
        assert "lm_head.weight" not in file.keys()  # noqa: SIM118
    model, _ = load(copy)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_file_that_was_cut_off_is_refused(copy, name):
    (copy / name).write_bytes((copy / name).read_bytes()[:1000])
    refusal(copy)


def test_a_folder_without_weights_or_without_a_tokenizer_is_refused(copy):
    (copy / "model.safetensors").rename(copy / "elsewhere")
    assert "model.safetensors" in refusal(copy).faults[0]
    (copy / "elsewhere").rename(copy / "model.safetensors")
    for path in copy.glob("tokenizer*"):
        path.unlink()
    refusal(copy)


def test_code_of_a_model_is_never_run(copy):
    (copy / "evil.py").write_text(f"open({str(copy / 'ran')!r}, 'w')")
    set_config(copy, model_type="own", auto_map={"AutoConfig": "evil.A", "AutoModelForCausalLM": "evil.B"})
    refusal(copy)
    assert not (copy / "ran").exists()


@pytest.mark.parametrize("place", ["no-one/no-such-model", "/no/such/folder", "./models/mine", "a b", "-"])
def test_a_model_that_is_nowhere_is_refused_with_the_next_move(place, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    error = refusal(place)
    assert place in error.faults[0]
    assert "hub id, a local folder" in error.hint


# --- what names a model --------------------------------------------------------------------------------------------
def test_equal_files_have_one_name_wherever_they_lie(tiny_model, copy):
    assert model_fingerprint(tiny_model) == model_fingerprint(copy)


def test_other_weights_have_another_name(copy):
    before = model_fingerprint(copy)
    content = bytearray((copy / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (copy / "model.safetensors").write_bytes(content)
    assert model_fingerprint(copy) != before


@pytest.fixture
def cached(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a model that was fetched from the hub earlier; there is no network now."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--someone--tiny"
    shutil.copytree(tiny_model, folder / "snapshots" / COMMIT)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)
    return "someone/tiny"


def test_a_model_of_the_hub_is_named_by_its_commit(cached):
    assert model_fingerprint(cached) == {"name_or_path": "someone/tiny", "commit": COMMIT}


def test_a_model_that_was_fetched_earlier_loads_without_a_network(cached, tiny_model):
    weights = [dict(load(place)[0].named_parameters()) for place in (cached, tiny_model)]
    assert all(torch.equal(weight, weights[1][name]) for name, weight in weights[0].items())


def test_a_model_that_cannot_be_had_has_no_name(cached):
    with pytest.raises(ModelError, match="someone/other"):
        model_fingerprint("someone/other")
