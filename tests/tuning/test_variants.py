"""What every variant of LoRA keeps to: its start, its saved form, a merge, packed rows, layers computed again."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import tiny_chatglm
import torch
from peft import PeftModel
from torch.testing import assert_close
from transformers import AutoModelForCausalLM

from instructglm.config.model import Quantization
from instructglm.config.tuning import FreezeTuning, FullTuning, LoraTuning, PrefixTuning
from instructglm.core.errors import ModelError
from instructglm.data.features import Feature
from instructglm.data.templates import Encoded
from instructglm.models.loading import load
from instructglm.models.quantization import loading_in_few_bits
from instructglm.training.batches import micro_batches
from instructglm.training.loss import weighted_nats
from instructglm.training.packing import set_packed
from instructglm.tuning import METHODS

CPU = torch.device("cpu")
VARIANTS = {
    "lora": LoraTuning(rank=4),
    "rslora": LoraTuning(rank=4, use_rslora=True),
    "dora": LoraTuning(rank=4, use_dora=True),
    "all": LoraTuning(rank=4, use_dora=True, use_rslora=True, loraplus_lr_ratio=8.0),
}
METHOD_SETTINGS = VARIANTS | {
    "full": FullTuning(method="full"),
    "freeze": FreezeTuning(method="freeze", num_layers=1),
    "prefix": PrefixTuning(method="prefix", num_virtual_tokens=4),
}
IDS = torch.tensor([[*tiny_chatglm.prompt(14), 11, 12, 13, 14]])  # a Llama reads them too
needs_bitsandbytes = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed"
)


@pytest.fixture(scope="module", params=["llama", "chatglm"])
def folder(request, tmp_path_factory) -> Path:
    if request.param == "llama":
        return request.getfixturevalue("tiny_model")
    folder = tmp_path_factory.mktemp("chatglm")
    tiny_chatglm.build(hidden_size=64, inner_hidden_size=128).save_pretrained(folder)  # bitsandbytes has blocks of 64
    return folder


def apply(folder, settings, *, bits: Quantization | None = None, dtype=torch.float32, attention="eager"):
    model, _ = load(folder, attn_implementation=attention, **loading_in_few_bits(bits, dtype, CPU))
    return METHODS[settings.method](model, settings, dtype=dtype, seed=3)


def moved(tuned):
    """The same with all its weights a little elsewhere."""
    with torch.no_grad():
        for weight in tuned.trainable().values():
            weight.add_(0.02 * torch.sign(weight) + 0.01)
    return tuned


def logits(model):
    with torch.no_grad():
        return model.eval()(input_ids=IDS).logits


def features() -> list[Feature]:
    generator = torch.Generator().manual_seed(0)

    def ids(length: int) -> list[int]:
        return torch.randint(5, 85, (length,), generator=generator).tolist()

    return [
        Feature(str(n), Encoded.untrained([*ids(n + 3), 91, 94]), [ids(2), ids(n + 1)], [0.5] * 2) for n in range(4)
    ]


def loss_and_gradients(tuned, *, packed: bool = False):
    tuned.model.train()
    torch.manual_seed(0)  # ChatGLM-6B drops parts of a prefix at random
    loss = weighted_nats(tuned.model, micro_batches(features(), 99, 3, packed=packed)[0])
    loss.backward()
    gradients = {name: weight.grad.clone() for name, weight in tuned.trainable().items() if weight.grad is not None}
    tuned.model.zero_grad(set_to_none=True)
    return loss.detach(), gradients


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_starts_as_the_base(folder, variant):
    settings = VARIANTS[variant]
    start, base = logits(apply(folder, settings).model), logits(load(folder, attn_implementation="eager")[0])
    assert_close(start, base, rtol=0, atol=1e-5 * float(base.std()) if settings.use_dora else 0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_saved_it_is_what_peft_reads_and_merged_it_is_the_same(folder, variant, tmp_path):
    tuned = moved(apply(folder, VARIANTS[variant]))
    expected, far = logits(tuned.model), logits(load(folder, attn_implementation="eager")[0])
    assert (expected - far).std() > 1e-2 * far.std()
    tuned.save(tmp_path / "adapter")
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert (config["use_dora"], config["use_rslora"]) == (VARIANTS[variant].use_dora, VARIANTS[variant].use_rslora)
    base = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
    theirs = PeftModel.from_pretrained(base, tmp_path / "adapter")
    assert torch.equal(logits(theirs), expected)
    assert_close(logits(theirs.merge_and_unload()), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize(("rank", "scaling"), [(4, 8.0), (16, 4.0)])
def test_rslora_scales_by_the_root_of_the_rank(tiny_model, rank, scaling):
    tuned = apply(tiny_model, LoraTuning(rank=rank, alpha=16, use_rslora=True))
    found = {module.scaling["default"] for module in tuned.model.modules() if hasattr(module, "lora_A")}
    assert found == {scaling}


@pytest.mark.parametrize("variant", VARIANTS)
def test_packed_rows_have_the_loss_and_the_gradients_of_padded_ones(folder, variant):
    padded = loss_and_gradients(moved(apply(folder, VARIANTS[variant])))
    tuned = moved(apply(folder, VARIANTS[variant]))
    assert set_packed(tuned, features(), CPU, torch.float32, otherwise="eager") is None
    assert_close(loss_and_gradients(tuned, packed=True), padded, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("method", METHOD_SETTINGS)
@pytest.mark.parametrize("bits", [None, pytest.param(Quantization(), marks=needs_bitsandbytes)], ids=["all", "4"])
def test_computed_again_layers_have_the_same_gradients(folder, method, bits):
    if bits and method in ("full", "freeze"):
        pytest.skip("refused by the configuration")
    expected = loss_and_gradients(moved(apply(folder, METHOD_SETTINGS[method], bits=bits)))
    again = moved(apply(folder, METHOD_SETTINGS[method], bits=bits))
    if again.against_checkpointing:
        with pytest.raises(ModelError, match=r"training\.gradient_checkpointing is true"):
            again.checkpoint_gradients()
        return
    again.checkpoint_gradients()
    assert_close(loss_and_gradients(again), expected, rtol=1e-5, atol=1e-6)
