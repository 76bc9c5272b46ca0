"""A packed row gives, token by token and gradient by gradient, what its sequences give alone."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close
from transformers import AutoConfig, AutoModelForCausalLM

from instructglm.core.errors import ModelError
from instructglm.models.chatglm.configuration import ChatGLMConfig
from instructglm.models.chatglm.modeling import ChatGLMForCausalLM
from instructglm.models.shared_prefix import Bounds, Segments
from instructglm.models.shared_prefix import attention as packed_attention
from instructglm.models.shared_prefix.written_out import written_out

SIZES = [(7, (3, 5, 2)), (4, (6,)), (9, (1, 1)), (12, (4, 3, 2, 1)), (5, ())]
MASK, GMASK, SOP, EOP, PAD = 4, 5, 6, 7, 3
FAMILIES = {
    "llama": {"num_key_value_heads": 2},
    "qwen2": {"num_key_value_heads": 2},
    "glm": {"num_key_value_heads": 2, "head_dim": 8, "pad_token_id": 3},
    "glm4": {"num_key_value_heads": 2, "head_dim": 8, "pad_token_id": 3},
    "gpt_neox": {},
    "mixtral": {"num_key_value_heads": 2, "num_local_experts": 4, "sliding_window": None},
}


def chatglm(**changes):
    settings = {"vocab_size": 200, "hidden_size": 32, "num_layers": 2, "num_attention_heads": 4}
    ids = {
        "bos_token_id": SOP,
        "eos_token_id": EOP,
        "pad_token_id": PAD,
        "mask_token_id": MASK,
        "gmask_token_id": GMASK,
    }
    return ChatGLMForCausalLM(ChatGLMConfig(**settings, inner_hidden_size=64, **ids, **changes))


def build(name: str):
    torch.manual_seed(0)
    if name == "chatglm":
        return chatglm().train()
    if name == "chatglm with a prefix":
        return chatglm(pre_seq_len=5, prefix_projection=True, prefix_dropout=0.0).train()
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = AutoConfig.for_model(name, vocab_size=200, max_position_embeddings=128, **sizes, **FAMILIES[name])
    return AutoModelForCausalLM.from_config(config).train()


def row(name: str, sizes=SIZES, seed: int = 1) -> torch.Tensor:
    """Ids of a packed row; contexts of ChatGLM end with a mask token and `<sop>`, or fill a gap."""
    generator = torch.Generator().manual_seed(seed)
    total = sum(context + sum(outputs) for context, outputs in sizes)
    ids = torch.randint(20, 200, (1, total), generator=generator)
    if name.startswith("chatglm"):
        start = 0
        for number, (context, outputs) in enumerate(sizes):
            ids[0, start + context - 1] = SOP
            ids[0, start + (context - 2 if number % 2 else 1)] = GMASK if number % 2 else MASK
            start += context + sum(outputs)
    return ids


def alone(ids: torch.Tensor, sizes=SIZES):
    """Each sequence of the row by itself, and its places in the row."""
    start = 0
    for context, outputs in sizes:
        begin = start + context
        for length in outputs or (0,):
            places = [*range(start, start + context), *range(begin, begin + length)]
            yield ids[:, places], places
            begin += length
        start = begin


def read(model, ids, segments, attention="shared_prefix"):
    model.set_attn_implementation(attention)
    mask = segments.stand_in(ids.device) if attention == "shared_prefix" else segments.mask()
    if attention == "eager":
        mask = torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)
    inputs = {"position_ids": segments.positions(), "attention_mask": mask, "segments": segments, "use_cache": False}
    return model(input_ids=ids, **inputs).logits[0]


@pytest.fixture(params=["written out", "fused"])
def form(request, monkeypatch):
    """Each of the two forms of attention on a CPU, whatever the length."""
    limit = 10**6 if request.param == "written out" else 0
    monkeypatch.setattr(packed_attention, "_WRITTEN_OUT_UP_TO", dict.fromkeys((torch.float32, torch.bfloat16), limit))


def gradients(model) -> dict[str, torch.Tensor]:
    found = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad(set_to_none=True)
    return found


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize("name", ["chatglm", "chatglm with a prefix", *FAMILIES])
def test_logits_and_gradients_are_those_of_the_sequences_alone(name, form, checkpointed):
    model, ids, segments = build(name), row(name), Segments.of(SIZES)
    expected = torch.zeros(ids.shape[1], 200)
    factors = torch.randn(ids.shape[1], 200, generator=torch.Generator().manual_seed(2))
    seen = torch.zeros(ids.shape[1])
    model.set_attn_implementation("eager")
    for sequence, places in alone(ids):
        share = torch.zeros(len(places))
        share[[place for place, where in enumerate(places) if not seen[where]]] = 1
        logits = model(input_ids=sequence, use_cache=False).logits[0]
        (logits * factors[places] * share[:, None]).sum().backward()  # each token of the row once
        expected[places] = logits.detach()
        seen[places] = 1
    theirs = gradients(model)
    if checkpointed:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    ours = read(model, ids, segments)
    (ours * factors).sum().backward()
    assert_close(ours.detach(), expected, rtol=1e-4, atol=2e-5)
    found = gradients(model)
    assert found.keys() == theirs.keys()
    for weight, gradient in theirs.items():
        assert_close(found[weight], gradient, rtol=2e-4, atol=2e-4 * float(gradient.abs().max()), msg=weight)


@pytest.mark.parametrize("name", ["chatglm", "chatglm with a prefix", "llama", "glm"])
@pytest.mark.parametrize("attention", ["eager", "sdpa", "flex_attention"])
def test_the_plain_mask_is_the_reference(name, attention, form):
    model, ids, segments = build(name).eval(), row(name), Segments.of(SIZES)
    if attention == "flex_attention" and not name.startswith("chatglm"):
        pytest.skip("transformers compiles it; what it would be given is compared below")
    with torch.no_grad():
        assert_close(read(model, ids, segments), read(model, ids, segments, attention), rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("prefix", [0, 3])
def test_the_block_mask_sees_what_the_plain_mask_sees(prefix):
    segments = Segments.of(SIZES).with_two_way([6, 0, 8, 3, 4])
    block = segments.block_mask(prefix, torch.device("cpu"))
    rows, columns = torch.meshgrid(
        torch.arange(segments.num_tokens), torch.arange(prefix + segments.num_tokens), indexing="ij"
    )
    none = torch.zeros_like(rows)
    assert torch.equal(block.mask_mod(none, none, rows, columns), segments.mask(prefix)[0, 0])


def test_what_is_seen_is_the_context_and_the_own_output():
    seen = Bounds(3, (2, 1), two_way=2).seen(prefix=1).int().tolist()
    assert seen == [
        [1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 1, 0],
        [1, 1, 1, 1, 0, 0, 1],
    ]


def test_the_stand_in_takes_no_memory():
    stand_in = Segments.of([(1000, [500, 500])] * 50).stand_in(torch.device("cpu"))
    assert stand_in.shape == (1, 1, 100_000, 100_000)
    assert stand_in.untyped_storage().nbytes() == 1


def test_written_out_has_the_gradients_of_the_definition():
    generator = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn(heads, length, 8, generator=generator, dtype=torch.float64, requires_grad=True)
        for heads, length in ((4, 5), (2, 7), (2, 7))
    )
    bias = torch.zeros(5, 7, dtype=torch.float64).masked_fill_(torch.ones(5, 7).tril(2) == 0, -torch.inf)
    assert torch.autograd.gradcheck(lambda *states: written_out(*states, bias, 0.3), (query, key, value))
    plain = torch.nn.functional.scaled_dot_product_attention(query, key, value, bias, scale=0.3, enable_gqa=True)
    assert_close(written_out(query, key, value, bias, 0.3), plain)


def test_a_call_without_segments_is_sdpas():
    model = build("llama").eval()
    ids, mask = torch.randint(20, 200, (2, 9)), torch.tensor([[0, 0, 1, 1, 1, 1, 1, 1, 1], [1] * 9])
    with torch.no_grad():
        model.set_attn_implementation("sdpa")
        expected = model(input_ids=ids, attention_mask=mask).logits
        model.set_attn_implementation("shared_prefix")
        assert torch.equal(model(input_ids=ids, attention_mask=mask).logits, expected)
        assert model.generate(ids, attention_mask=mask, max_new_tokens=3, do_sample=False).shape == (2, 12)


class TestRefused:
    def test_a_row_of_another_length(self):
        for name in ("llama", "chatglm"):
            model, ids, segments = build(name), row(name)[:, :-1], Segments.of(SIZES)
            model.set_attn_implementation("shared_prefix")
            with pytest.raises(ModelError, match=r"segments .*65 tokens"):
                model(input_ids=ids, position_ids=segments.positions()[:, :-1], segments=segments, use_cache=False)

    def test_a_window_shorter_than_a_sequence(self):
        config = AutoConfig.for_model(
            "mistral", vocab_size=200, hidden_size=32, intermediate_size=64, num_hidden_layers=1,
            num_attention_heads=4, num_key_value_heads=2, sliding_window=8,
        )  # fmt: skip
        model = AutoModelForCausalLM.from_config(config)
        with pytest.raises(ModelError, match="sees only 8 tokens back, and a sequence has 16"):
            read(model, row("mistral"), Segments.of(SIZES))
        short = [(4, (2, 3)), (5, (3,))]
        assert read(model, row("mistral", short), Segments.of(short)).shape == (17, 200)

    def test_scores_that_are_capped(self):
        config = AutoConfig.for_model(
            "gemma2", vocab_size=200, hidden_size=32, intermediate_size=64, num_hidden_layers=1, head_dim=8,
            num_attention_heads=4, num_key_value_heads=2,
        )  # fmt: skip
        with pytest.raises(ModelError, match="caps its attention scores"):
            read(AutoModelForCausalLM.from_config(config), row("gemma2"), Segments.of(SIZES))
