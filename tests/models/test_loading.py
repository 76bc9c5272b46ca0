"""The one door: what it opens, and what it says where it does not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import warnings
from importlib.util import find_spec
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
    assert "9 weights are missing: model.layers.2." in error.faults[0]


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


def test_a_folder_without_weights_is_refused(copy):
    (copy / "model.safetensors").rename(copy / "elsewhere")
    assert "no weights: neither model.safetensors nor pytorch_model.bin" in refusal(copy).faults[0]


def test_a_folder_without_a_tokenizer_gives_none(copy):
    for path in copy.glob("tokenizer*"):
        path.unlink()
    assert load(copy)[1] is None
    with pytest.raises(ModelError, match=r"no tokenizer \(found chat_template.jinja, config.json"):
        load_tokenizer(copy)


def test_a_folder_that_has_only_a_tokenizer_gives_that(copy):
    for name in ("config.json", "generation_config.json", "model.safetensors"):
        (copy / name).unlink()
    assert load_tokenizer(copy).decode([5])
    refusal(copy)


def test_code_of_a_model_is_never_run(copy):
    (copy / "evil.py").write_text(f"open({str(copy / 'ran')!r}, 'w')")
    set_config(copy, model_type="own", auto_map={"AutoConfig": "evil.A", "AutoModelForCausalLM": "evil.B"})
    assert "code of its own (auto_map), and such code is never run" in refusal(copy).faults[0]
    assert not (copy / "ran").exists()


@pytest.mark.parametrize(
    "place", ["no-one/no-such-model", "/no/such/folder", "./models/mine", "a/b/c", "models/", "a b", "-"]
)
def test_a_model_that_is_nowhere_is_refused_with_the_next_move(place, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    error = refusal(place)
    assert place in error.faults[0]
    assert "hub id, a local folder" in error.hint


def test_a_name_that_may_be_both_is_refused_at_once_as_both(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")  # nobody answers there
    began = time.monotonic()
    fault = refusal("models/none").faults[0]
    assert time.monotonic() - began < 5  # seconds
    assert f"models/none: there is no such folder in {Path.cwd()}; as a hub id: " in fault
    assert "the hub cannot be reached" in fault


def test_a_file_is_no_folder(copy):
    assert "this is a file" in refusal(copy / "config.json").faults[0]


def test_an_adapter_is_told_from_a_model(copy):
    (copy / "config.json").rename(copy / "adapter_config.json")
    assert "This is an adapter" in refusal(copy).hint


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_git_lfs_pointer_is_named(copy, name):
    (copy / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    error = refusal(copy)
    assert f"{copy / name}: this is a git-lfs pointer" in error.faults[0]
    assert "git lfs pull" in error.hint


def sharded(folder: Path) -> Path:
    load(folder)[0].save_pretrained(folder, max_shard_size="20KB")
    (folder / "model.safetensors").unlink(missing_ok=True)
    return folder


def test_a_missing_shard_is_named(copy):
    gone = sorted(sharded(copy).glob("model-*"))[1]
    gone.unlink()
    assert f"model.safetensors.index.json names {gone.name}, which is not there" in refusal(copy).faults[0]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"weight_map": {}}', '{"weight_map": 1}'])
def test_a_broken_index_is_named(copy, content):
    (sharded(copy) / "model.safetensors.index.json").write_text(content)
    assert "model.safetensors.index.json" in refusal(copy).faults[0]


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"\x00" * 8, (2**40).to_bytes(8, "little") + b"{}"])
def test_a_file_that_is_no_safetensors_is_named(copy, content):
    (copy / "model.safetensors").write_bytes(content)
    assert f"{copy / 'model.safetensors'}: cut off, or no safetensors file" in refusal(copy).faults[0]


def change_weight(folder: Path, name: str, weight: torch.Tensor | None, new_name: str = "") -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    old = weights.pop(name)
    if weight is not None or new_name:
        weights[new_name or name] = old if weight is None else weight
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_weight_of_the_wrong_shape_is_named_with_both_shapes(copy):
    change_weight(copy, "model.norm.weight", torch.ones(31))
    assert "model.norm.weight found [31], expected [32]" in refusal(copy).faults[0]


def test_weights_that_have_no_place_are_told(copy):
    from safetensors.torch import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    save_file(weights | {"vision.weight": torch.ones(2)}, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.warns(UserWarning, match=r"left out, since LlamaForCausalLM has no place for them: vision.weight"):
        load(copy)


@pytest.mark.parametrize("field", ["eos_token_id", "pad_token_id", "bos_token_id"])
@pytest.mark.parametrize("file", ["config.json", "generation_config.json"])
def test_an_id_outside_the_vocabulary_is_refused(copy, file, field):
    fields = json.loads((copy / file).read_text())
    (copy / file).write_text(json.dumps(fields | {field: 10**6}))
    assert f"{copy / file}: {field} is 1000000; the vocabulary has the ids 0 to " in refusal(copy).faults[0]


def test_all_ids_outside_the_vocabulary_are_named(copy):
    set_config(copy, eos_token_id=[2, -2], bos_token_id="x")
    with pytest.raises(ModelError) as caught:
        load(copy)
    assert len(caught.value.faults) == 2


def test_an_unknown_dtype_is_refused(copy):
    with pytest.raises(ModelError, match="dtype is 'int4'; expected one of float32, bfloat16, float16, auto"):
        load(copy, dtype="int4")


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("fp16", "float16"), ("half", "float16"), ("BF16", "bfloat16"), ("fp32", "float32"), ("torch.float16", "float16")],
)
def test_a_dtype_by_another_name_gets_its_own(copy, asked, meant):
    with pytest.raises(ModelError) as caught:
        load(copy, dtype=asked)
    assert caught.value.hint == f"Did you mean {meant}?"


def test_whole_numbers_are_no_dtype_of_a_model(copy):
    with pytest.raises(ModelError, match=r"dtype is torch\.int8; expected one of"):
        load(copy, dtype=torch.int8)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("spda", "attn_implementation is 'spda'; expected one of eager, "),
        ("flash_attention_2", "attn_implementation is flash_attention_2, which cannot be had here: "),
        ("kernels-community/flash-attn", "attn_implementation is kernels-community/flash-attn, which cannot be had"),
    ],
)
def test_a_wrong_attention_is_no_fault_of_the_model(copy, asked, says):
    if "flash" in asked and (find_spec("flash_attn") or find_spec("kernels")):
        pytest.skip("this attention can be had here")
    with pytest.raises(ModelError) as caught:
        load(copy, attn_implementation=asked)
    assert caught.value.faults[0].startswith(says)
    assert "damaged" not in str(caught.value)


def test_a_fault_of_the_model_is_not_put_on_the_attention(copy):
    set_config(copy, num_attention_heads=5)
    with pytest.raises(ModelError) as caught:
        load(copy, attn_implementation="sdpa")
    assert "attn_implementation" not in str(caught.value)


def test_a_config_that_leads_to_a_division_by_zero_is_refused(copy):
    set_config(copy, num_attention_heads=0)
    refusal(copy)


def test_what_transformers_says_is_as_loud_after_loading_as_before(copy):
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_info()
    logging.enable_progress_bar()
    try:
        load(copy)
        load_tokenizer(copy)
        set_config(copy, hidden_size=64)
        refusal(copy)
        assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == (logging.INFO, True)
    finally:
        logging.set_verbosity(before[0])
        if not before[1]:
            logging.disable_progress_bar()


def test_a_gguf_or_other_foreign_type_is_refused_by_its_name(copy):
    set_config(copy, model_type="vit")
    assert "model_type is 'vit', which is no causal language model" in refusal(copy).faults[0]
    set_config(copy, model_type="no-such")
    assert "model_type is 'no-such', which transformers does not know" in refusal(copy).faults[0]


# --- the ChatGLM family --------------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def first_generation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from instructglm.models.chatglm.configuration import ChatGLMConfig
    from instructglm.models.chatglm.modeling import ChatGLMForCausalLM

    config = ChatGLMConfig(
        vocab_size=99, hidden_size=32, inner_hidden_size=40, num_layers=2, num_attention_heads=4,
        bos_token_id=94, eos_token_id=95, mask_token_id=90, gmask_token_id=91, pad_token_id=3,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("first")
    torch.manual_seed(0)
    ChatGLMForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
def first(first_generation: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first_generation, tmp_path / "first"))


def test_each_generation_becomes_its_class(first, checkpoint):
    kinds = [type(load(place)[0]).__name__ for place in (first, checkpoint())]
    assert kinds == ["ChatGLMForCausalLM", "GlmForCausalLM"]


@pytest.mark.parametrize("fields", [{"vocab_size": 150528}, {"bos_token_id": 150004, "eos_token_id": 150005}])
def test_weights_with_the_ids_of_before_april_2023_are_refused(first, fields):
    set_config(first, **fields)
    error = refusal(first)
    assert "before 2023-04-06" in error.faults[0]
    assert "8b7d335" in error.hint


@pytest.mark.parametrize("bits", [4, 8])
def test_weights_that_the_official_code_packed_are_refused(first, checkpoint, bits):
    set_config(first, quantization_bit=bits)
    for folder in (first, checkpoint(quantization_bit=bits)):
        assert f"config.json: quantization_bit is {bits}" in refusal(folder).faults[0]


def test_a_field_that_the_first_generation_has_not_is_named_with_its_file(first):
    set_config(first, position_encoding_2d=False)
    assert f"{first}/config.json: position_encoding_2d is false" in refusal(first).faults[0]


@pytest.mark.parametrize("asked", ["flash_attention_2", "paged|eager", "kernels-community/flash-attn2"])
def test_an_attention_that_would_misread_the_first_generation_is_refused(first, asked):
    with pytest.raises(ModelError, match="ChatGLM-6B's context would be read one way only") as caught:
        load(first, attn_implementation=asked)
    assert caught.value.hint == "Use sdpa, eager or flex_attention."


def without(folder: Path, *fields: str) -> Path:
    """The folder, as it is published: its config leaves these fields to the code, and nothing says how to generate."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({field: config[field] for field in config if field not in fields}))
    (folder / "generation_config.json").unlink(missing_ok=True)
    return folder


def test_generation_stops_where_the_family_stops_though_config_json_does_not_say(
    first_generation, checkpoint, tmp_path
):
    from instructglm.models.chatglm.configuration import ChatGLMConfig
    from instructglm.models.chatglm.modeling import ChatGLMForCausalLM

    config = ChatGLMConfig(hidden_size=8, inner_hidden_size=8, num_layers=1, num_attention_heads=2)
    ChatGLMForCausalLM(config).save_pretrained(tmp_path / "whole")
    model, _ = load(without(tmp_path / "whole", "eos_token_id", "bos_token_id", "pad_token_id"))
    ids = model.generation_config
    assert (ids.bos_token_id, ids.eos_token_id, ids.pad_token_id) == (130004, 130005, 3)
    later = load(without(checkpoint(), "eos_token_id", "pad_token_id"))[0].generation_config
    assert (later.eos_token_id, later.pad_token_id) == (2, 0)


def test_a_default_that_the_vocabulary_has_not_is_no_id(first):
    ids = load(without(first, "eos_token_id"))[0].generation_config
    assert (ids.eos_token_id, ids.pad_token_id) == (None, 3)


def with_head(folder: Path, change: float) -> Path:
    """The folder with a head of its own in the file: the embeddings, changed by so much."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"] = weights["transformer.word_embeddings.weight"] + change
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return without(folder, "tie_word_embeddings")


def test_a_head_that_equals_the_embeddings_is_tied_to_them(first):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, _ = load(with_head(first, 0.0))
    assert model.lm_head.weight is model.get_input_embeddings().weight


def test_a_head_of_its_own_is_told_and_kept(first, tmp_path):
    with pytest.warns(UserWarning, match=r"lm_head.weight differs from transformer.word_embeddings.weight"):
        model, _ = load(with_head(first, 1.0))
    assert model.config.tie_word_embeddings is False
    model.tie_weights()
    ids = torch.tensor([[5, 6, 91, 94, 7]])
    model.save_pretrained(tmp_path / "saved")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # from now on the config says so itself
        again, _ = load(tmp_path / "saved")
    with torch.no_grad():
        assert torch.equal(model(input_ids=ids).logits, again(input_ids=ids).logits)
    assert torch.equal(again.lm_head.weight, again.get_input_embeddings().weight + 1)


@pytest.fixture
def vocabulary(shared_tokenizers: Path, tmp_path: Path) -> Path:
    """A folder with the vocabulary of ChatGLM2 and ChatGLM3, and nothing else."""
    folder = tmp_path / "vocabulary"
    folder.mkdir()
    shutil.copy(shared_tokenizers / "chatglm3-6b" / "tokenizer.model", folder)
    return folder


def test_a_vocabulary_that_two_generations_share_is_not_guessed_at(vocabulary):
    with pytest.raises(ModelError, match="ChatGLM2 or ChatGLM3, and nothing here says which") as caught:
        load_tokenizer(vocabulary)
    for version in ("chatglm2", "chatglm3"):
        assert version in caught.value.hint
        (vocabulary / "config.json").write_text(json.dumps({"model_type": "chatglm", "chatglm_version": version}))
        assert load_tokenizer(vocabulary).template_name == version


def test_a_vocabulary_in_a_folder_of_that_name_is_known(vocabulary):
    assert load_tokenizer(vocabulary.rename(vocabulary.with_name("chatglm2-6b"))).template_name == "chatglm2"


def test_the_vocabulary_of_the_first_generation_says_all(shared_tokenizers, tmp_path):
    shutil.copy(shared_tokenizers / "chatglm-6b" / "ice_text.model", tmp_path)
    assert load_tokenizer(tmp_path).template_name == "chatglm"


NORM = "transformer.encoder.final_layernorm.weight"
FIRST_NORM = "transformer.final_layernorm.weight"


def test_wrong_weights_of_chatglm_are_named_as_the_file_names_them(first, checkpoint):
    later = checkpoint()
    for folder, name, size in ((first, FIRST_NORM, 32), (later, NORM, 44)):
        change_weight(folder, name, torch.ones(9))
        assert f"1 weight is of another shape than config.json says: {name} found [9], expected [{size}]" in str(
            refusal(folder)
        )
        change_weight(folder, name, torch.ones(size), new_name="foreign.weight")
        with pytest.raises(ModelError) as caught:
            load(folder)
        assert f"1 weight is missing: {name}" in caught.value.faults[0]
        assert "1 weight is not known to this model: foreign.weight" in caught.value.faults[1]


def test_the_command_line_says_it_in_a_line_and_exits_with_two(copy, tmp_path):
    change_weight(copy, "model.norm.weight", torch.ones(31))
    rows = [{"instruction": f"Say {number}.", "output": str(number)} for number in range(20)]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    experiment = tmp_path / "experiment.yaml"
    experiment.write_text("name: a\nmodel: {name_or_path: model}\ndata: {sources: [{path: rows.json}]}\n")
    command = [sys.executable, "-m", "instructglm.cli.main", "train", str(experiment), "--out", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert f"Error: {copy}: 1 weight is of another shape" in done.stderr


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


def test_a_model_of_the_hub_is_named_in_adapters_by_its_id(cached):
    assert load(cached)[0].name_or_path == "someone/tiny"


def test_a_model_that_was_fetched_earlier_loads_without_a_network(cached, tiny_model):
    weights = [dict(load(place)[0].named_parameters()) for place in (cached, tiny_model)]
    assert all(torch.equal(weight, weights[1][name]) for name, weight in weights[0].items())


def test_a_model_that_cannot_be_had_has_no_name(cached):
    with pytest.raises(ModelError, match="someone/other"):
        model_fingerprint("someone/other")
