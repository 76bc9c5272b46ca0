"""ChatGLM2, ChatGLM3 and GLM-4: computed as the official code does, read and written in both layouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional
from transformers import AutoModelForCausalLM, GlmConfig, GlmForCausalLM

from instructglm.core.errors import ModelError
from instructglm.models.glm_import import auto_config, glm_config_of, read_official_layout, save_official
from instructglm.models.glm_import.export import official_weights
from instructglm.models.loading import load

VARIANTS = {
    "v2": {"_name_or_path": "THUDM/chatglm2-6b"},
    "v3": {"_name_or_path": "THUDM/chatglm3-6b"},
    "v2-32k": {"_name_or_path": "THUDM/chatglm2-6b-32k", "rope_ratio": 8},
    "v3-32k": {"_name_or_path": "THUDM/chatglm3-6b-32k", "rope_ratio": 50},
    "glm-4": {"_name_or_path": "THUDM/glm-4-9b-chat", "rope_ratio": 500, "layernorm_epsilon": 1.5625e-07},
}
VARIANT = pytest.mark.parametrize("variant", VARIANTS)


# --- an independent plain implementation, from the facts of the official code ---------------------------------------
class Reference:
    """Computes with the weights under their official names; batches of one, no cache, no library."""

    def __init__(self, folder: Path) -> None:
        self.config = json.loads((folder / "config.json").read_text())
        self.weights = {
            name: weight.requires_grad_() for name, weight in load_file(folder / "model.safetensors").items()
        }

    def logits(self, ids: torch.Tensor) -> torch.Tensor:  # (T,) -> (T, V)
        states = self._weight("embedding.word_embeddings.weight")[ids]
        for layer in range(self.config["num_layers"]):
            prefix = f"encoder.layers.{layer}."
            states = states + self._attention(self._norm(states, prefix + "input_layernorm"), prefix)
            states = states + self._mlp(self._norm(states, prefix + "post_attention_layernorm"), prefix)
        return self._norm(states, "encoder.final_layernorm") @ self._weight("output_layer.weight").T

    def loss(self, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(self.logits(ids)[:-1], labels[1:], ignore_index=-100)

    @torch.no_grad()
    def greedy(self, ids: list[int], steps: int) -> list[int]:
        answer: list[int] = []
        while len(answer) < steps and answer[-1:] != [self.config["eos_token_id"]]:
            answer.append(int(self.logits(torch.tensor([*ids, *answer]))[-1].argmax()))
        return answer

    def _weight(self, name: str) -> torch.Tensor:
        return self.weights["transformer." + name]

    def _norm(self, states: torch.Tensor, name: str) -> torch.Tensor:
        size = states.pow(2).mean(-1, keepdim=True) + self.config["layernorm_epsilon"]
        return states / size.sqrt() * self._weight(name + ".weight")

    def _mlp(self, states: torch.Tensor, prefix: str) -> torch.Tensor:
        gate, up = (states @ self._weight(prefix + "mlp.dense_h_to_4h.weight").T).chunk(2, dim=-1)
        return (gate * torch.sigmoid(gate) * up) @ self._weight(prefix + "mlp.dense_4h_to_h.weight").T

    def _attention(self, states: torch.Tensor, prefix: str) -> torch.Tensor:
        heads, groups, width = (self.config[f] for f in ("num_attention_heads", "multi_query_group_num", "kv_channels"))
        fused = states @ self._weight(prefix + "self_attention.query_key_value.weight").T
        fused = fused + self._weight(prefix + "self_attention.query_key_value.bias")
        q, k, v = (part.unflatten(-1, (-1, width)) for part in fused.split([heads * width, *[groups * width] * 2], -1))
        future = torch.ones(len(states), len(states)).triu(1).bool()
        outputs = []
        for head in range(heads):
            group = head // (heads // groups)
            scores = self._rotated(q[:, head]) @ self._rotated(k[:, group]).T / width**0.5
            outputs.append(scores.masked_fill(future, float("-inf")).softmax(-1) @ v[:, group])
        return torch.cat(outputs, -1) @ self._weight(prefix + "self_attention.dense.weight").T

    def _rotated(self, head: torch.Tensor) -> torch.Tensor:  # (T, D)
        """The first half of a head, in neighbouring pairs, each turned by its position."""
        rotated = head.shape[-1] // 2
        ratio = self.config.get("rope_ratio", 1)
        divides = "chatglm2" in self.config["_name_or_path"]
        theta = 10000.0 * (1 if divides else ratio)
        positions = torch.arange(len(head)) / (ratio if divides else 1)
        angles = positions[:, None] * theta ** (-torch.arange(0, rotated, 2) / rotated)
        even, odd = head[:, 0:rotated:2], head[:, 1:rotated:2]
        turned = (even * angles.cos() - odd * angles.sin(), even * angles.sin() + odd * angles.cos())
        return torch.cat([torch.stack(turned, -1).flatten(-2), head[:, rotated:]], -1)


def draw(size: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(0, 97, (size,), generator=torch.Generator().manual_seed(seed))


# --- computes as the official code ----------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def golden(shared_golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("golden")
    config = json.loads((shared_golden / "chatglm3_tiny_model.json").read_text())["config"]
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").symlink_to(shared_golden / "chatglm3_tiny_model.safetensors")
    return folder


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("case", ["chatglm3_single_prompt", "chatglm3_single_prompt_long"])
def test_logits_and_hidden_states_are_those_of_the_official_code(shared_golden, golden, case, attention):
    tensors = load_file(shared_golden / f"{case}.safetensors")
    model, tokenizer = load(golden, attn_implementation=attention)
    with torch.no_grad():
        output = model(input_ids=tensors["input_ids"], output_hidden_states=True)
    assert tokenizer is None
    torch.testing.assert_close(output.logits, tensors["logits"], atol=2e-4, rtol=0)
    if "hidden_states" in tensors:  # the official ones end before the final norm
        ours = torch.stack(output.hidden_states)
        torch.testing.assert_close(ours[:-1], tensors["hidden_states"][:-1], atol=2e-4, rtol=0)
        torch.testing.assert_close(ours[-1], tensors["final_hidden_state"], atol=2e-4, rtol=0)


@VARIANT
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_logits_are_those_of_the_plain_implementation(checkpoint, variant, attention):
    folder, ids = checkpoint(**VARIANTS[variant]), draw(150)
    model, _ = load(folder, attn_implementation=attention)
    with torch.no_grad():
        torch.testing.assert_close(
            model(input_ids=ids[None]).logits[0], Reference(folder).logits(ids), atol=5e-5, rtol=0
        )


def test_the_variants_differ(checkpoint):
    ids = draw(150)
    logits = [Reference(checkpoint(name, **fields)).logits(ids) for name, fields in VARIANTS.items()]
    assert torch.equal(logits[0], logits[1])
    assert all((logits[a] - logits[b]).abs().max() > 0.1 for a in range(2, 5) for b in range(a))


@VARIANT
def test_loss_and_gradients_are_those_of_the_plain_implementation(checkpoint, variant):
    folder, ids = checkpoint(**VARIANTS[variant]), draw(40)
    ids[7] = 0  # the pad id is `<unk>` as well, and learns where it is a token of the text
    labels = ids.masked_fill(torch.arange(40) < 11, -100)
    reference = Reference(folder)
    expected = reference.loss(ids, labels)
    expected.backward()
    model, _ = load(folder)
    loss = model(input_ids=ids[None], labels=labels[None]).loss
    loss.backward()
    assert abs(loss.item() - expected.item()) < 1e-5
    ours = dict(model.named_parameters())
    for name, weight in reference.weights.items():
        if weight.grad is not None:  # all but the buffer of the rotary frequencies
            gradient = torch.cat([ours.pop(part).grad for part in own_names(name)])
            torch.testing.assert_close(gradient, weight.grad, atol=1e-5, rtol=1e-4)
    assert not ours


def own_names(name: str) -> list[str]:
    """The weights of a GlmForCausalLM that an official weight consists of."""
    for official, own in {
        "transformer.encoder.layers": "model.layers",
        "transformer.embedding.word_embeddings": "model.embed_tokens",
        "transformer.encoder.final_layernorm": "model.norm",
        "transformer.output_layer": "lm_head",
        "self_attention.dense": "self_attn.o_proj",
        "dense_h_to_4h": "gate_up_proj",
        "dense_4h_to_h": "down_proj",
    }.items():
        name = name.replace(official, own)
    if "query_key_value" not in name:
        return [name]
    return [name.replace("self_attention.query_key_value", f"self_attn.{part}_proj") for part in "qkv"]


@VARIANT
def test_padded_on_the_left_each_row_is_as_alone(checkpoint, variant):
    folder = checkpoint(**VARIANTS[variant])
    model, reference = load(folder)[0], Reference(folder)
    rows = [draw(9, 1), draw(23, 2), draw(17, 3)]
    ids = torch.stack([functional.pad(row, (23 - len(row), 0)) for row in rows])
    mask = torch.stack([functional.pad(torch.ones_like(row), (23 - len(row), 0)) for row in rows])
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=mask, position_ids=positions).logits
    for row, own in zip(rows, logits, strict=True):
        torch.testing.assert_close(own[-len(row) :], reference.logits(row).detach(), atol=1e-4, rtol=0)


@VARIANT
def test_greedy_answers_are_those_of_the_plain_implementation(checkpoint, variant):
    rows = [draw(5, 11), draw(12, 12)]
    folder = checkpoint(**VARIANTS[variant])
    reference = Reference(folder)
    often = reference.greedy(rows[0].tolist(), 6)[-1]  # what it soon says ends its answers
    fields = json.loads((folder / "config.json").read_text()) | {"eos_token_id": often}
    (folder / "config.json").write_text(json.dumps(fields))
    reference.config["eos_token_id"] = often
    model, _ = load(folder)
    expected = [reference.greedy(row.tolist(), 20) for row in rows]
    assert len(expected[0]) <= 6
    ids = torch.stack([functional.pad(row, (12 - len(row), 0)) for row in rows])
    mask = torch.tensor([[0] * 7 + [1] * 5, [1] * 12])
    made = model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=20, do_sample=False)[:, 12:]
    for answer, row in zip(expected, made.tolist(), strict=True):
        assert row[: len(answer)] == answer
        assert set(row[len(answer) :]) <= {0}


# --- read and written in both layouts -------------------------------------------------------------------------------
def logits_of(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=draw(30)[None]).logits


@VARIANT
def test_what_is_saved_loads_again_to_equal_logits(checkpoint, tmp_path, variant):
    model, _ = load(checkpoint(**VARIANTS[variant]))
    model.save_pretrained(tmp_path / "saved", max_shard_size="20KB")
    assert (tmp_path / "saved" / "model.safetensors.index.json").exists()
    expected = logits_of(model)
    for again in (load(tmp_path / "saved")[0], AutoModelForCausalLM.from_pretrained(tmp_path / "saved")):
        assert torch.equal(logits_of(again), expected)
        assert again.get_input_embeddings().weight.dtype == torch.float32


@VARIANT
def test_the_official_layout_is_written_bit_for_bit(checkpoint, tmp_path, variant):
    folder = checkpoint(**VARIANTS[variant])
    model, _ = load(folder)
    save_official(model, tmp_path / "saved")
    before, after = (load_file(place / "model.safetensors") for place in (folder, tmp_path / "saved"))
    before.pop("transformer.rotary_pos_emb.inv_freq")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    was, now = (json.loads((place / "config.json").read_text()) for place in (folder, tmp_path / "saved"))
    assert {field: now[field] for field in was if field != "_name_or_path"} == {
        field: value for field, value in was.items() if field != "_name_or_path"
    }
    assert torch.equal(logits_of(load(tmp_path / "saved")[0]), logits_of(model))


def test_the_official_layout_is_written_in_shards_too(checkpoint, tmp_path):
    model, _ = load(checkpoint(**VARIANTS["v3-32k"]))
    save_official(model, tmp_path / "saved", max_shard_size="20KB")
    assert len(list((tmp_path / "saved").glob("*.safetensors"))) > 2
    assert torch.equal(logits_of(load(tmp_path / "saved")[0]), logits_of(model))


def test_what_the_official_layout_cannot_say_is_refused_and_nothing_written(tmp_path):
    config = GlmConfig(
        vocab_size=97, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, head_dim=16,
        pad_token_id=0, hidden_act="gelu", tie_word_embeddings=True,
    )  # fmt: skip
    with pytest.raises(ModelError) as caught:
        save_official(GlmForCausalLM(config), tmp_path / "saved")
    assert "hidden_act" in caught.value.faults[0]
    assert "tie_word_embeddings" in caught.value.faults[1]
    assert not (tmp_path / "saved").exists()


def to_bin(folder: Path, shards: int) -> None:
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = [f"pytorch_model-{number + 1:05}-of-{shards:05}.bin" for number in range(shards)]
    where = {name: names[number % shards] for number, name in enumerate(weights)}  # a weight and its bias lie apart
    for file in names:
        torch.save({name: weight for name, weight in weights.items() if where[name] == file}, folder / file)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))


def test_bin_shards_load_alike_and_safetensors_come_first(checkpoint):
    folder = checkpoint(**VARIANTS["v2"])
    expected = logits_of(load(folder)[0])
    (folder / "pytorch_model.bin").write_bytes(b"not read")
    assert torch.equal(logits_of(load(folder)[0]), expected)
    (folder / "pytorch_model.bin").unlink()
    to_bin(folder, 3)
    assert torch.equal(logits_of(load(folder)[0]), expected)


@VARIANT
def test_the_way_from_the_auto_classes_leads_to_the_same_model(checkpoint, variant):
    folder = checkpoint(**VARIANTS[variant])
    fields = json.loads((folder / "config.json").read_text())
    config, rest = auto_config(fields, name_or_path=str(folder), return_unused_kwargs=True, foo=1)
    assert rest == {"foo": 1}
    model = AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=torch.float32)
    assert torch.equal(logits_of(model), logits_of(load(folder)[0]))
    del fields["_name_or_path"]  # a hub id says it as well
    hub = auto_config(fields, name_or_path=VARIANTS[variant]["_name_or_path"])
    assert hub.rope_parameters == config.rope_parameters


def test_a_bin_file_that_holds_code_is_not_run(checkpoint, tmp_path):
    folder = checkpoint()
    (folder / "model.safetensors").unlink()
    torch.save({"weight": Trap(tmp_path / "ran")}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin: cut off, or it holds more than tensors"):
        load(folder)
    assert not (tmp_path / "ran").exists()


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, "bfloat16", "auto"])
def test_weights_come_in_the_dtype_that_was_asked_for(checkpoint, dtype):
    folder = checkpoint(torch_dtype="float16")
    model, _ = load(folder, dtype=dtype, device_map={"": "cpu"})
    expected = {"bfloat16": torch.bfloat16, "auto": torch.float16}.get(str(dtype), dtype)
    assert {weight.dtype for weight in model.parameters()} == {expected}


@pytest.mark.parametrize("generation", ["chatglm2", "chatglm3"])
def test_the_tokenizer_of_the_generation_stays_with_what_is_saved(shared_tokenizers, checkpoint, tmp_path, generation):
    folder = checkpoint(num_layers=1, padded_vocab_size=65024, _name_or_path=f"THUDM/{generation}-6b")
    fill(folder)
    (folder / "tokenizer.model").symlink_to(shared_tokenizers / "chatglm3-6b" / "tokenizer.model")
    model, tokenizer = load(folder)
    assert tokenizer.template_name == generation
    for name, save in (("own", model.save_pretrained), ("official", lambda place: save_official(model, place))):
        save(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
        again = load(tmp_path / name)[1]
        assert type(again) is type(tokenizer)
        assert again("你好, world")["input_ids"] == tokenizer("你好, world")["input_ids"]


def fill(folder: Path) -> None:
    """Weights for whatever config.json says."""
    model = GlmForCausalLM(glm_config_of(json.loads((folder / "config.json").read_text())))
    save_file(official_weights(model.state_dict()), folder / "model.safetensors")


@pytest.mark.parametrize("bits", [4, 8])
def test_quantized_on_loading_it_computes_about_the_same_and_is_read_back(checkpoint, tmp_path, bits):
    pytest.importorskip("bitsandbytes")
    from transformers import BitsAndBytesConfig

    folder = checkpoint(
        num_layers=1, hidden_size=64, num_attention_heads=4, multi_query_group_num=2, kv_channels=16, ffn_hidden_size=64
    )
    fill(folder)
    plain = logits_of(load(folder)[0])
    how = BitsAndBytesConfig(load_in_8bit=True) if bits == 8 else BitsAndBytesConfig(load_in_4bit=True)
    model, _ = load(folder, quantization_config=how)
    logits = logits_of(model)
    assert 0 < (logits - plain).norm() / plain.norm() < 0.3
    model.save_pretrained(tmp_path / "saved")
    torch.testing.assert_close(logits_of(load(tmp_path / "saved")[0]), logits)


def test_an_ordinary_glm_is_loaded_and_saved_as_ever(tmp_path):
    read_official_layout()
    config = GlmConfig(
        vocab_size=97, hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, pad_token_id=0, eos_token_id=2,
    )  # fmt: skip
    model = GlmForCausalLM(config).eval()
    model.save_pretrained(tmp_path / "saved")
    assert load_file(tmp_path / "saved" / "model.safetensors").keys() == model.state_dict().keys()
    again, _ = load(tmp_path / "saved")
    assert torch.equal(logits_of(again), logits_of(model))
    again.save_pretrained(tmp_path / "again")
    assert load_file(tmp_path / "again" / "model.safetensors").keys() == model.state_dict().keys()


def test_lora_starts_as_the_base_and_is_read_back(checkpoint, tmp_path):
    from peft import LoraConfig, PeftModel, get_peft_model

    folder = checkpoint(**VARIANTS["v3"])
    expected = logits_of(load(folder)[0])
    adapted = get_peft_model(load(folder)[0], LoraConfig(target_modules=["q_proj", "k_proj", "v_proj"], r=2))
    assert torch.equal(logits_of(adapted), expected)
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    changed = logits_of(adapted)
    assert (changed - expected).abs().max() > 0.1
    adapted.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    assert torch.equal(logits_of(PeftModel.from_pretrained(load(folder)[0], tmp_path / "adapter")), changed)


# --- what GlmForCausalLM cannot be ----------------------------------------------------------------------------------
def test_all_fields_that_stand_against_it_are_named_at_once():
    config = {
        "model_type": "chatglm", "_name_or_path": "chatglm3", "hidden_size": "x", "num_layers": 2,
        "num_attention_heads": 7, "multi_query_group_num": 3, "ffn_hidden_size": 8, "padded_vocab_size": 9,
        "rmsnorm": False, "add_bias_linear": True, "pre_seq_len": 128, "rope_ratio": -1,
    }  # fmt: skip
    with pytest.raises(ModelError) as caught:
        glm_config_of(config)
    told = [fault.removeprefix("config.json: ").split(" ")[0] for fault in caught.value.faults]
    assert told == [
        "hidden_size", "kv_channels", "num_attention_heads", "multi_query_attention", "rmsnorm", "add_bias_linear",
        "pre_seq_len", "rope_ratio",
    ]  # fmt: skip


def test_one_weight_split_wrongly_is_named_as_the_file_names_it(checkpoint):
    folder = checkpoint()
    weights = load_file(folder / "model.safetensors")
    name = "transformer.encoder.layers.1.self_attention.query_key_value.weight"
    save_file(weights | {name: torch.zeros(143, 44)}, folder / "model.safetensors")
    with pytest.raises(ModelError) as caught:
        load(folder)
    assert f"{name} found [143, 44], expected [144, 44]" in caught.value.faults[0]
