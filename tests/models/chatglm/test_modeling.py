"""Padding, infilling, gradients, packing, caches: all against the plain reference, or against the row alone."""

from __future__ import annotations

import chatglm_reference
import pytest
import torch
from huggingface_hub.errors import StrictDataclassFieldValidationError
from peft import LoraConfig, get_peft_model
from tiny_chatglm import build, padded, prompt
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, StaticCache

from instructglm.core.errors import ModelError
from instructglm.models import load

ATTENTIONS = ["eager", "sdpa", "flex_attention"]
PREFIXES = [{}, {"pre_seq_len": 5}, {"pre_seq_len": 4, "prefix_projection": True}]


def rows() -> list[list[int]]:
    """Prompts with and without an answer, for [gMASK] and for an infilling, of different lengths."""
    return [
        [*prompt(9), 11, 12, 13, 95],
        prompt(4, seed=1),
        [20, 21, 90, 22, 23, 94, 7, 8, 95],
        [20, 90, 22, 91, 94, 30, 31],
        [90, 94],
    ]


def expected(model, row) -> torch.Tensor:
    return chatglm_reference.logits(model.state_dict(), model.config, row)


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("settings", PREFIXES, ids=["plain", "prefix", "projected"])
def test_every_row_alone_is_the_reference(attention, settings):
    model = build(attn_implementation=attention, **settings)
    for row in rows():
        with torch.no_grad():
            ours = model(input_ids=torch.tensor([row])).logits[0]
        torch.testing.assert_close(ours, expected(model, row), atol=1e-4, rtol=0)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("settings", PREFIXES, ids=["plain", "prefix", "projected"])
def test_a_padded_row_equals_the_row_alone(attention, side, settings):
    model = build(attn_implementation=attention, **settings)
    batch = padded(rows(), side)
    with torch.no_grad():
        logits = model(**batch).logits
    for ours, real, row in zip(logits, batch["attention_mask"].bool(), rows(), strict=True):
        torch.testing.assert_close(ours[real], expected(model, row), atol=1e-4, rtol=0)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_padding_in_front_is_seen_without_a_mask(attention):
    model, batch = build(attn_implementation=attention), padded(rows())
    with torch.no_grad():
        logits = model(input_ids=batch["input_ids"]).logits
    for ours, real, row in zip(logits, batch["attention_mask"].bool(), rows(), strict=True):
        torch.testing.assert_close(ours[real], expected(model, row), atol=1e-4, rtol=0)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_documents_packed_into_one_row_do_not_see_each_other(attention):
    model = build(attn_implementation=attention)
    documents = rows()
    ids = torch.tensor([[token for row in documents for token in row]])
    positions = torch.tensor([[place for row in documents for place in range(len(row))]])
    apart = torch.cat([expected(model, row) for row in documents])
    for mask in (None, torch.ones_like(ids)):
        with torch.no_grad():
            logits = model(input_ids=ids, position_ids=positions, attention_mask=mask).logits[0]
        torch.testing.assert_close(logits, apart, atol=1e-4, rtol=0)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])  # torch has no backward of flex attention on a CPU
@pytest.mark.parametrize("settings", PREFIXES, ids=["plain", "prefix", "projected"])
def test_gradients(attention, settings):
    """Of the loss of a right-padded batch, against autograd through the plain reference."""
    model = build(attn_implementation=attention, **settings)
    batch = padded([row for row in rows() if len(row) > 5], "right")
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    model(**batch, labels=labels).loss.backward()
    weights = {name: tensor.detach().clone().requires_grad_() for name, tensor in model.named_parameters()}
    logits = torch.cat([chatglm_reference.logits(weights, model.config, row)[:-1] for row in rows() if len(row) > 5])
    targets = torch.tensor([token for row in rows() if len(row) > 5 for token in row[1:]])
    torch.nn.functional.cross_entropy(logits, targets).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, weights[name].grad, atol=2e-5, rtol=1e-3, msg=name)


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("settings", PREFIXES, ids=["plain", "prefix", "projected"])
def test_gradient_checkpointing_changes_no_gradient(settings, reentrant):
    model = build(prefix_dropout=0.0, **settings).train()
    batch = padded(rows(), "left")
    gradients = []
    for checkpointed in (False, True):
        if checkpointed:
            model.gradient_checkpointing_enable({"use_reentrant": reentrant})
            model.enable_input_require_grads()
        model.zero_grad()
        model(**batch, labels=batch["input_ids"]).loss.backward()
        gradients.append({name: parameter.grad.clone() for name, parameter in model.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, atol=1e-6, rtol=1e-4, msg=name)


@pytest.mark.parametrize("settings", PREFIXES, ids=["plain", "prefix", "projected"])
@pytest.mark.parametrize("cache", ["dynamic", "none", "static"])
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_greedy_generation_of_a_left_padded_batch(attention, settings, cache):
    model = build(attn_implementation=attention, **settings)
    prompts = [prompt(9), prompt(4, seed=1), [20, 21, 90, 22, 23, 94], [20, 90, 22, 91, 94]]
    how = {"dynamic": {}, "none": {"use_cache": False}, "static": {"cache_implementation": "static"}}[cache]
    out = model.generate(**padded(prompts), max_new_tokens=8, do_sample=False, disable_compile=True, **how)
    for answer, row in zip(out[:, 11:].tolist(), prompts, strict=True):
        wanted = chatglm_reference.greedy(model.state_dict(), model.config, row, 8)
        assert answer[: len(wanted)] == wanted


def test_generation_past_the_first_answer_token_continues_a_cache():
    """A prompt read once, then scored with several continuations: what evaluation does."""
    model = build()
    row = prompt(9)
    ids = torch.tensor([row])
    place = model.prompt_layout(ids)
    with torch.no_grad():
        first = model(input_ids=ids, use_cache=True)
        more = model(input_ids=torch.tensor([[30, 31, 32]]), past_key_values=first.past_key_values, **place)
    torch.testing.assert_close(more.logits[0], expected(model, [*row, 30, 31, 32])[-3:], atol=1e-4, rtol=0)


def test_a_static_cache_decodes_as_a_dynamic_one():
    model = build(attn_implementation="sdpa")
    batch = padded([prompt(9), prompt(3)])
    cache = StaticCache(config=model.config, max_cache_len=32)
    torch.testing.assert_close(
        model.generate(**batch, past_key_values=cache, max_new_tokens=6, do_sample=False, disable_compile=True),
        model.generate(**batch, max_new_tokens=6, do_sample=False),
    )


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_half_precision_stays_near(name):
    model = build(attn_implementation="sdpa")
    row = torch.tensor([[*prompt(40), 11, 12]])
    with torch.no_grad():
        exact = model(input_ids=row).logits
        near = model.to(getattr(torch, name))(input_ids=row).logits.float()
    assert near.isfinite().all()
    assert (near - exact).abs().max() < 0.1 * exact.abs().max()


class TestAdapters:
    def test_lora_at_the_start_is_the_base_and_merged_equals_unmerged(self):
        model, batch = build(), padded(rows())
        with torch.no_grad():
            base = model(**batch).logits
            tuned = get_peft_model(model, LoraConfig(r=4, target_modules=["query_key_value"], task_type="CAUSAL_LM"))
            assert torch.equal(tuned(**batch).logits, base)
            for name, parameter in tuned.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(std=0.1)
            unmerged = tuned(**batch).logits
            with tuned.disable_adapter():
                assert torch.equal(tuned(**batch).logits, base)
            merged = tuned.merge_and_unload()(**batch).logits
        assert (unmerged - base).abs().max() > 1e-2
        torch.testing.assert_close(merged, unmerged, atol=1e-5, rtol=1e-5)

    def test_the_default_targets_of_peft_are_found(self):
        tuned = get_peft_model(build(), LoraConfig(r=2, task_type="CAUSAL_LM"))
        trained = [name for name, parameter in tuned.named_parameters() if parameter.requires_grad]
        assert len(trained) == 2 * 3
        assert all("query_key_value" in name for name in trained)

    def test_an_adapted_model_generates(self):
        model = build()
        tuned = get_peft_model(model, LoraConfig(r=2, target_modules=["query_key_value"], task_type="CAUSAL_LM"))
        out = tuned.generate(**padded([prompt(5), prompt(3)]), max_new_tokens=4, do_sample=False)
        for answer, row in zip(out[:, 7:].tolist(), [prompt(5), prompt(3)], strict=True):
            wanted = chatglm_reference.greedy(build().state_dict(), model.config, row, 4)
            assert answer[: len(wanted)] == wanted


@pytest.mark.parametrize("shard", ["5GB", "20KB"])
@pytest.mark.parametrize("settings", PREFIXES, ids=["plain", "prefix", "projected"])
def test_saved_and_loaded_again(tmp_path, settings, shard):
    model, ids = build(**settings), torch.tensor([rows()[0]])
    model.save_pretrained(tmp_path, max_shard_size=shard)
    again = AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="eager")
    assert type(again) is type(model)
    assert all(torch.equal(weight, model.state_dict()[name]) for name, weight in again.state_dict().items())
    with torch.no_grad():  # but for the last bit, in which a small product may differ by where its numbers lie
        torch.testing.assert_close(again(input_ids=ids).logits, model(input_ids=ids).logits, atol=1e-6, rtol=1e-6)
    assert (len(list(tmp_path.glob("*.safetensors"))) > 1) == (shard != "5GB")


@pytest.mark.parametrize("bits", [4, 8])
def test_quantized_on_loading_it_answers_about_the_same_and_trains_an_adapter(tmp_path, bits):
    pytest.importorskip("bitsandbytes")
    model, ids = build(hidden_size=64, inner_hidden_size=128), torch.tensor([rows()[0]])
    model.save_pretrained(tmp_path)
    how = BitsAndBytesConfig(load_in_8bit=True) if bits == 8 else BitsAndBytesConfig(load_in_4bit=True)
    quantized, _ = load(tmp_path, quantization_config=how)
    with torch.no_grad():
        exact, near = model(input_ids=ids).logits, quantized(input_ids=ids).logits.float()
    assert 0 < (near - exact).norm() / exact.norm() < 0.3
    tuned = get_peft_model(quantized.train(), LoraConfig(r=2, task_type="CAUSAL_LM"))
    tuned(input_ids=ids, labels=ids).loss.backward()
    moved = [parameter.grad.abs().sum() for name, parameter in tuned.named_parameters() if "lora_B" in name]
    assert len(moved) == 3
    assert all(amount > 0 for amount in moved)


def test_placed_by_a_device_map_it_answers_the_same(tmp_path):
    model, ids = build(), torch.tensor([rows()[0]])
    model.save_pretrained(tmp_path)
    placed, _ = load(tmp_path, device_map="auto", attn_implementation="eager")
    with torch.no_grad():
        assert torch.equal(placed(input_ids=ids).logits, model(input_ids=ids).logits)


def test_official_names_are_kept():
    names = {name.replace(".0.", ".N.") for name in build(num_layers=1).state_dict()}
    layer = ["input_layernorm", "attention.query_key_value", "attention.dense", "post_attention_layernorm"]
    layer += ["mlp.dense_h_to_4h", "mlp.dense_4h_to_h"]
    modules = [f"transformer.layers.N.{name}" for name in layer] + ["transformer.final_layernorm"]
    wanted = {f"{module}.{part}" for module in modules for part in ("weight", "bias")}
    assert names == wanted | {"transformer.word_embeddings.weight", "lm_head.weight"}


class TestRefusals:
    def test_a_prompt_without_its_end(self):
        with pytest.raises(ModelError, match=r"no `<sop>` in row 1"):
            build()(**padded([prompt(4), [5, 6, 7, 91]]))

    def test_a_prompt_without_a_mask_token(self):
        with pytest.raises(ModelError, match=r"no \[gMASK\] or \[MASK\] before `<sop>` in row 0"):
            build()(input_ids=torch.tensor([[5, 6, 94, 91]]))

    def test_an_id_out_of_range(self):
        with pytest.raises(ModelError, match="id 96 in input_ids is not in this model's vocabulary of 96"):
            build()(input_ids=torch.tensor([[96, 91, 94]]))

    def test_a_context_that_is_too_long(self):
        with pytest.raises(ModelError, match=r"a sequence has 65 tokens; this model reads 64 \(max_sequence_length"):
            build()(input_ids=torch.tensor([prompt(63)]))

    def test_padding_and_other_documents_make_no_sequence_longer(self):
        model, row = build(), prompt(38)
        with torch.no_grad():
            both = model(input_ids=torch.tensor([row + row]), position_ids=torch.arange(40).repeat(2)[None]).logits[0]
            wide = model(
                input_ids=torch.tensor([[3] * 60 + row]), attention_mask=torch.tensor([[0] * 60 + [1] * 40])
            ).logits[0]
        for part in (both[:40], both[40:], wide[60:]):
            torch.testing.assert_close(part, expected(model, row), atol=1e-4, rtol=0)

    def test_a_context_in_pieces(self):
        model, ids = build(), torch.tensor([prompt(8)])
        with pytest.raises(ModelError, match="no `<sop>` in row 0"):
            model.generate(ids, max_new_tokens=2, prefill_chunk_size=4)
        place = model.prompt_layout(ids)
        first = model(input_ids=ids[:, :4], use_cache=True, **place).past_key_values
        with pytest.raises(ModelError, match="part of a context in a call that continues a cache"):
            model(input_ids=ids[:, 4:], past_key_values=first)

    def test_padding_on_the_right_of_a_prompt(self):
        with pytest.raises(ModelError, match="padding on the right"):
            build().generate(**padded([prompt(4), prompt(2)], "right"), max_new_tokens=2)

    def test_a_mask_of_other_sizes(self):
        model, ids = build(), torch.tensor([prompt(2)])
        with pytest.raises(ModelError, match="attention_mask has 3 columns for 4 tokens"):
            model(input_ids=ids, attention_mask=torch.ones(1, 3))
        with pytest.raises(ModelError, match="an attention_mask of 4 dimensions"):
            model.generate(ids, attention_mask=torch.ones(1, 1, 4, 4), max_new_tokens=2)

    def test_embeddings_that_do_not_say_where_the_context_ends(self):
        model = build()
        embedded = model.get_input_embeddings()(torch.tensor([prompt(4)]))
        with pytest.raises(ModelError, match="context_length and mask_position"):
            model(inputs_embeds=embedded)
        with torch.no_grad():
            place = model.prompt_layout(torch.tensor([prompt(4)]))
            logits = model(inputs_embeds=embedded, **place).logits[0]
        torch.testing.assert_close(logits, expected(model, prompt(4)), atol=1e-4, rtol=0)

    def test_positions_of_another_shape(self):
        model, ids = build(), torch.tensor([prompt(2)])
        with pytest.raises(ModelError, match="position_ids have the shape"):
            model(input_ids=ids, position_ids=torch.zeros(1, 3, 4, dtype=torch.long))
        with pytest.raises(ModelError, match="position_ids in two rows"):
            model.generate(ids, position_ids=torch.zeros(1, 2, 4, dtype=torch.long), max_new_tokens=2)
        cache = model(input_ids=ids, use_cache=True).past_key_values
        with pytest.raises(ModelError, match="continues a cache"):
            model(input_ids=ids, position_ids=torch.zeros(1, 2, 4, dtype=torch.long), past_key_values=cache)

    def test_several_documents_and_padding(self):
        row, places = prompt(2), [0, 1, 2, 3]
        with pytest.raises(ModelError, match="several documents in one row, and padding"):
            build()(
                input_ids=torch.tensor([[3, *row, *row]]),
                position_ids=torch.tensor([[0, *places, *places]]),
                attention_mask=torch.tensor([[0] + [1] * 8]),
            )

    def test_several_documents_and_a_cache(self):
        model, row = build(), prompt(2)
        cache = model(input_ids=torch.tensor([row]), use_cache=True).past_key_values
        with pytest.raises(ModelError, match="several documents"):
            model(
                input_ids=torch.tensor([row + row]),
                position_ids=torch.tensor([[0, 1, 2, 3, 0, 1, 2, 3]]),
                past_key_values=cache,
            )

    def test_flash_attention_and_paged_batches(self):
        with pytest.raises((ValueError, ImportError), match=r"(?i)flash"):
            build(attn_implementation="eager").set_attn_implementation("flash_attention_2")
        with pytest.raises(ModelError, match="continuous batching"):
            build().generate_batch([prompt(3)])

    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({"position_encoding_2d": False}, "position_encoding_2d"),
            ({"quantization_bit": 4}, "quantization_bit is 4"),
            ({"hidden_size": 50}, "hidden_size 50"),
            ({"num_attention_heads": 0}, "num_attention_heads is 0"),
            ({"pre_seq_len": -3}, "pre_seq_len is -3"),
            ({"bos_token_id": 150004, "gmask_token_id": 150001}, "bos_token_id 150004"),
        ],
    )
    def test_a_config_of_something_else(self, settings, named):
        with pytest.raises(ModelError, match=named):
            build(**settings)

    @pytest.mark.parametrize("settings", [{"num_layers": "4"}, {"layernorm_epsilon": "x"}, {"use_cache": "no"}])
    def test_a_field_of_another_type(self, settings):
        with pytest.raises(StrictDataclassFieldValidationError, match=next(iter(settings))):
            build(**settings)
