"""Whether a model is packed is tried out on it; what is done to logits after the head is seen."""

from __future__ import annotations

import re

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from instructglm.data.features import Feature
from instructglm.data.templates import Encoded
from instructglm.models.loading import load
from instructglm.training import packing
from instructglm.training.batches import micro_batches
from instructglm.training.loss import has_plain_head, weighted_nats
from instructglm.training.packing import set_packed
from instructglm.tuning import TunedModel

CPU = torch.device("cpu")
SIZES = {
    "vocab_size": 200, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "pad_token_id": 0, "state_size": 8,
}  # fmt: skip


def tuned(kind: str, **changes) -> TunedModel:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **SIZES | changes))
    return TunedModel(model, "model")


def packed(tuned: TunedModel, features: list[Feature], dtype: torch.dtype = torch.float32) -> str | None:
    return set_packed(tuned, features, CPU, dtype, otherwise="sdpa")


def features(end: list[int] = ()) -> list[Feature]:
    generator = torch.Generator().manual_seed(0)

    def ids(length: int) -> list[int]:
        return torch.randint(20, 200, (length,), generator=generator).tolist()

    return [Feature(str(n), Encoded.untrained([*ids(n + 3), *end]), [ids(2), ids(n + 1)], [0.5, 0.5]) for n in range(5)]


@pytest.mark.parametrize("kind", ["llama", "qwen2", "glm", "glm4", "mixtral"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_plain_attention_is_packed(kind, dtype):
    model = tuned(kind, sliding_window=None)
    before = model.model.training
    assert packed(model, features(), dtype) is None
    assert model.model.training is before
    assert model.model.config._attn_implementation == "shared_prefix"


@pytest.mark.parametrize("kind", ["llama", "glm"])
def test_one_prompt_with_one_output_is_tried_too(kind):
    assert packed(tuned(kind), [Feature("a", Encoded.untrained([30, 31, 32]), [[40]], [1.0])]) is None


def test_chatglm_is_packed():
    model, tokenizer = load("chatglm-tiny", attn_implementation="sdpa")
    end = [tokenizer.gmask_token_id, tokenizer.sop_token_id]
    assert packed(TunedModel(model, "model"), features(end)) is None


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        ("mamba", {}, "."),
        ("bloom", {}, "its attention cannot be exchanged"),
        ("codegen", {"n_head": 4, "n_embd": 32, "n_layer": 2, "rotary_dim": 4}, "its attention cannot be exchanged"),
        ("lfm2", {"layer_types": ["conv", "full_attention"]}, "a sequence changes with|its logits differ"),
        ("mistral", {"sliding_window": 4}, "its sliding_window is 4 tokens, and a sequence has 12"),
        ("gemma2", {"sliding_window": 64}, "caps its attention scores"),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_a_packed_row_cannot_give_is_found_out(kind, changes, reason, dtype):
    model = tuned(kind, **changes)
    model.model.set_attn_implementation("eager")
    before = model.model.config._attn_implementation
    assert re.search(reason, set_packed(model, features(), CPU, dtype, otherwise=before))
    assert model.model.config._attn_implementation == before


def test_a_window_in_the_text_part_of_a_model_that_also_sees():
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = AutoConfig.for_model("gemma3", text_config=SIZES | {"sliding_window": 4}, vision_config=vision)
    assert not hasattr(config, "sliding_window")
    model = TunedModel(AutoModelForCausalLM.from_config(config), "model")
    assert packed(model, features()) == "its sliding_window is 4 tokens, and a sequence has 12"


@pytest.mark.parametrize(
    ("kind", "changes", "plain"),
    [("llama", {}, True), ("gemma2", {}, False), ("granite", {"logits_scaling": 4.0}, False), ("mamba", {}, False)],
)
def test_logits_that_are_not_the_heads_own_are_made_by_the_model(kind, changes, plain):
    model = tuned(kind, **changes).model.eval()
    batch = micro_batches(features(), 16, 0, packed=False)[0]
    assert has_plain_head(model, batch) is plain
    with torch.no_grad():
        ours = weighted_nats(model, batch, plain_head=plain).item()
        theirs = 0.0
        for feature in features():
            for encoded, weight in feature.sequences():
                labels = torch.tensor([encoded.labels])
                loss = model(input_ids=torch.tensor([encoded.input_ids]), labels=labels).loss
                theirs += weight * loss.item() * int((labels != -100).sum())
    assert ours == pytest.approx(theirs, rel=1e-5)


def test_a_head_of_nothing_but_zeros_is_no_reason():
    model = tuned("llama")
    torch.nn.init.zeros_(model.model.lm_head.weight)
    assert packed(model, features()) is None


def test_a_trial_without_a_backward_pass_leaves_no_gradient():
    model = tuned("llama")
    batch = micro_batches([Feature("one", Encoded.untrained([5, 6, 7]), [[8, 9]], [1.0])], 8, 0, packed=False)[0]

    def broken(*_):
        raise RuntimeError("no backward pass")

    model.model.model.layers[0].register_full_backward_hook(broken)
    with pytest.raises(RuntimeError, match="no backward pass"):
        packing._step(model, batch, CPU, torch.float32)
    assert all(weight.grad is None for weight in model.model.parameters())
