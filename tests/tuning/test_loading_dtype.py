"""A model that is loaded in the dtype its frozen weights become is, tuned, the one that was loaded in float32."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_chatglm
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from instructglm.config.tuning import FreezeTuning, FullTuning, LoraTuning, PrefixTuning
from instructglm.data.features import Feature
from instructglm.data.templates import Encoded
from instructglm.models.loading import load, outline
from instructglm.training.batches import micro_batches
from instructglm.training.loss import arithmetic, weighted_nats
from instructglm.tuning import METHODS, loading_dtype

CPU = torch.device("cpu")
TUNINGS = {
    "lora": LoraTuning(rank=4, targets="all-linear"),
    "lora-plus": LoraTuning(rank=4, use_rslora=True, loraplus_lr_ratio=8.0),
    "prefix": PrefixTuning(method="prefix", num_virtual_tokens=4),
    "projected": PrefixTuning(method="prefix", num_virtual_tokens=4, prefix_projection=True),
}
KINDS = (torch.float32, torch.float16, torch.bfloat16)


def chosen(place, tuning) -> torch.dtype:
    return loading_dtype(tuning, torch.bfloat16, lambda dtype: outline(place, dtype=dtype))


def tuned_of(place, tuning, dtype):
    return METHODS[tuning.method](load(place, dtype=dtype)[0], tuning, dtype=torch.bfloat16, seed=5)


def tensors(model) -> dict[str, torch.Tensor]:
    """Weights and buffers, those among them that are not saved."""
    return dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers(remove_duplicate=False))


def first_loss(tuned) -> torch.Tensor:
    end = [tiny_chatglm.IDS["gmask_token_id"], tiny_chatglm.IDS["bos_token_id"]]
    feature = Feature("a", Encoded.untrained([5, 6, 7, 8, *end]), [[9, 10, 11], [12]], [0.5, 0.5])
    with torch.no_grad(), arithmetic(CPU, torch.bfloat16):
        return weighted_nats(tuned.model.eval(), micro_batches([feature], 9, 0, packed=False)[0])


def assert_the_same(place, tuning) -> None:
    assert chosen(place, tuning) == torch.bfloat16
    before, now = (tuned_of(place, tuning, dtype) for dtype in (torch.float32, torch.bfloat16))
    old, new = tensors(before.model), tensors(now.model)
    assert new.keys() == old.keys()
    assert not [name for name in old if new[name].dtype != old[name].dtype or not torch.equal(new[name], old[name])]
    assert now.lr_ratios == before.lr_ratios
    assert now.trainable().keys() == before.trainable().keys()
    assert torch.equal(first_loss(now), first_loss(before))


@pytest.fixture(scope="module", params=["llama", "chatglm", "glm4", "gpt2"])
def family(request, tmp_path_factory) -> Path:
    if request.param == "llama":
        return request.getfixturevalue("tiny_model")
    folder = tmp_path_factory.mktemp(request.param)
    _FAMILIES[request.param]().save_pretrained(folder)
    return folder


def _gpt2():
    """Whose linear layers are not torch's."""
    sizes = {"vocab_size": 120, "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 4}
    return AutoModelForCausalLM.from_config(AutoConfig.for_model("gpt2", **sizes, bos_token_id=0, eos_token_id=1))


def _glm4():
    sizes = {"vocab_size": 120, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 8}
    more = {"num_attention_heads": 4, "num_key_value_heads": 2, "pad_token_id": 0, "eos_token_id": 1}
    return AutoModelForCausalLM.from_config(AutoConfig.for_model("glm4", **sizes, **more))


_FAMILIES = {"chatglm": tiny_chatglm.build, "glm4": _glm4, "gpt2": _gpt2}


@pytest.mark.parametrize("tuning", TUNINGS.values(), ids=TUNINGS)
@pytest.mark.parametrize("saved", KINDS, ids=str)
def test_nothing_is_another_bit_than_before(family, saved, tuning, tmp_path):
    load(family, dtype=saved)[0].save_pretrained(tmp_path)
    assert_the_same(tmp_path, tuning)


def test_nor_in_the_embedded_model():
    assert_the_same("embedded", TUNINGS["lora"])


@pytest.mark.parametrize(
    "tuning",
    [LoraTuning(use_dora=True), FullTuning(method="full"), FreezeTuning(method="freeze", num_layers=1)],
    ids=["dora", "full", "freeze"],
)
def test_what_needs_exact_weights_gets_them(tiny_model, tuning):
    assert chosen(tiny_model, tuning) == torch.float32


def test_so_does_a_family_with_a_buffer_that_would_be_rounded(tiny_model):
    def rounding(dtype):
        model = outline(tiny_model, dtype=dtype)
        model.register_buffer("scale", torch.ones(1, dtype=dtype, device="meta"))
        return model

    assert loading_dtype(TUNINGS["lora"], torch.bfloat16, rounding) == torch.float32


def test_in_float32_there_is_nothing_to_choose(tiny_model):
    assert (
        loading_dtype(TUNINGS["lora"], torch.float32, lambda dtype: outline(tiny_model, dtype=dtype)) == torch.float32
    )
