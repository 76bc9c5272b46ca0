"""ChatGLM-6B at its real width, one layer deep: a packed step is the padded one, loss and every gradient."""

from __future__ import annotations

import pytest
import torch

from instructglm.data.features import Feature
from instructglm.data.templates import Encoded
from instructglm.models.chatglm.configuration import ChatGLMConfig
from instructglm.models.chatglm.modeling import ChatGLMForCausalLM
from instructglm.training.batches import Batch, micro_batches
from instructglm.training.loss import weighted_count, weighted_nats

MASK, GMASK, SOP, EOP, PAD = 4, 5, 6, 7, 3
MARKS = {"mask_token_id": MASK, "gmask_token_id": GMASK, "bos_token_id": SOP, "eos_token_id": EOP, "pad_token_id": PAD}


@pytest.fixture(scope="module")
def model() -> ChatGLMForCausalLM:
    """200 million weights, 0.8 GB: the vocabulary is small too."""
    torch.manual_seed(0)
    with torch.device("meta"):
        made = ChatGLMForCausalLM(ChatGLMConfig(vocab_size=256, num_layers=1, **MARKS))
    assert (made.config.hidden_size, made.config.num_attention_heads, made.config.inner_hidden_size) == (
        4096,
        32,
        16384,
    )
    made.to_empty(device="cpu")
    made.init_weights()
    return made.train()


def prompts(num_outputs: int) -> list[Feature]:
    """Contexts of mixed lengths, by turns with [gMASK] at their end and with a gap, [MASK], in their middle."""
    generator = torch.Generator().manual_seed(num_outputs)

    def ids(length: int) -> list[int]:
        return torch.randint(20, 256, (length,), generator=generator).tolist()

    made = []
    for number, length in enumerate((3, 8, 1)):
        context = [*ids(length), GMASK, SOP] if number % 2 else [*ids(length), MASK, *ids(2), SOP]
        outputs = [[*ids(1 + (3 * number + k) % 4), EOP] for k in range(num_outputs)]
        made.append(Feature(str(number), Encoded.untrained(context), outputs, [1 / num_outputs] * num_outputs))
    return made


def accumulate(model, batch: Batch, factor: float) -> float:
    """The step's loss; `factor` times its gradient is added to those of the weights."""
    loss = weighted_nats(model, batch) / weighted_count([batch])
    (factor * loss).backward()
    return loss.item()


@pytest.mark.parametrize("num_outputs", [1, 3])
def test_packed_equals_padded(model, num_outputs):
    packed, padded = (micro_batches(prompts(num_outputs), None, PAD, packed=how) for how in (True, False))
    model.zero_grad(set_to_none=True)
    model.set_attn_implementation("shared_prefix")
    ours = accumulate(model, packed[0], 1.0)
    norms = {name: float(torch.linalg.vector_norm(weight.grad)) for name, weight in model.named_parameters()}
    model.set_attn_implementation("eager")
    theirs = accumulate(model, padded[0], -1.0)  # what is left is the difference: a second copy would take 0.8 GB
    assert ours == pytest.approx(theirs, rel=1e-6)
    for name, weight in model.named_parameters():
        assert norms[name] > 0, name
        assert float(torch.linalg.vector_norm(weight.grad)) < 1e-5 * norms[name], name
