"""Small native models with weights that leave no term out: random norms and biases."""

from __future__ import annotations

import torch

from instructglm.models.chatglm.configuration import ChatGLMConfig
from instructglm.models.chatglm.modeling import ChatGLMForCausalLM

SIZES = {
    "vocab_size": 96,
    "hidden_size": 48,
    "num_layers": 3,
    "num_attention_heads": 4,
    "inner_hidden_size": 80,
    "max_sequence_length": 64,
}
IDS = {"pad_token_id": 3, "mask_token_id": 90, "gmask_token_id": 91, "bos_token_id": 94, "eos_token_id": 95}


def build(seed: int = 0, attn_implementation: str = "eager", **settings) -> ChatGLMForCausalLM:
    torch.manual_seed(seed)
    config = ChatGLMConfig(**{**SIZES, **IDS, **settings})
    config._attn_implementation = attn_implementation
    model = ChatGLMForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * (0.2 if parameter.ndim > 1 else 0.5))
    return model.eval()


def prompt(length: int, seed: int = 0, *, mask: int = 91) -> list[int]:
    """`length` random ids, [gMASK] and `<sop>`."""
    generator = torch.Generator().manual_seed(seed)
    return [*torch.randint(5, 85, (length,), generator=generator).tolist(), mask, 94]


def padded(rows: list[list[int]], side: str = "left") -> dict[str, torch.Tensor]:
    """Rows of ids as a batch with an ordinary 2-D attention mask."""
    width = max(map(len, rows))
    blank = [width - len(row) for row in rows]
    front = [side == "left"] * len(rows)
    ids = [[3] * n * left + row + [3] * n * (not left) for row, n, left in zip(rows, blank, front, strict=True)]
    marks = [
        [0] * n * left + [1] * len(row) + [0] * n * (not left) for row, n, left in zip(rows, blank, front, strict=True)
    ]
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(marks)}
