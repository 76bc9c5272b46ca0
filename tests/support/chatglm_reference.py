"""ChatGLM-6B once more, in plain loops and one row at a time: what the native model is compared with.

Written from the facts about the official code, not from ours: positions and masks are Python lists,
attention is a full matrix, a prefix is a tensor, there is no cache and no padding.
"""

from __future__ import annotations

import math

import torch
from torch.nn.functional import gelu, layer_norm, linear

BLOCK_DEFAULT_LAYERS = 28


def layout(ids: list[int], config) -> tuple[list[int], list[int], list[list[bool]]]:
    """Both rows of positions, and who sees whom (True = seen)."""
    end = ids.index(config.bos_token_id)
    token = config.gmask_token_id if config.gmask_token_id in ids else config.mask_token_id
    mask = ids.index(token)
    where = [place if place < end else mask for place in range(len(ids))]
    into = [0 if place < end else place - end + 1 for place in range(len(ids))]
    seen = [[key <= query or key < end for key in range(len(ids))] for query in range(len(ids))]
    return where, into, seen


def turned(states: torch.Tensor, places: list[int]) -> torch.Tensor:
    """Rotate (S, H, D) by one row of positions, pairs lying half a width apart."""
    width = states.shape[-1]
    frequencies = (1.0 / 10000 ** (torch.arange(0, width, 2).float() / width)).half().float()  # rounded on purpose
    angles = torch.tensor(places).float()[:, None] * frequencies
    cos, sin = angles.cos().repeat(1, 2)[:, None], angles.sin().repeat(1, 2)[:, None]
    left, right = states[..., : width // 2], states[..., width // 2 :]
    return states * cos + torch.cat((-right, left), dim=-1) * sin


def prefixes(weights, config):
    """Key and value of every layer: (N, H, D) each, or nothing."""
    if config.pre_seq_len is None:
        return [None] * config.num_layers
    flat = weights["transformer.prefix_encoder.embedding.weight"]
    if config.prefix_projection:
        names = [f"transformer.prefix_encoder.trans.{index}" for index in (0, 2)]
        inner = linear(flat, weights[f"{names[0]}.weight"], weights[f"{names[0]}.bias"]).tanh()
        flat = linear(inner, weights[f"{names[1]}.weight"], weights[f"{names[1]}.bias"])
    heads, width = config.num_attention_heads, config.hidden_size // config.num_attention_heads
    table = flat.view(config.pre_seq_len, 2 * config.num_layers, heads, width)
    return [(table[:, 2 * layer], table[:, 2 * layer + 1]) for layer in range(config.num_layers)]


def attention(normed, weights, name, config, places, prefix):
    where, into, seen = places
    heads, size = config.num_attention_heads, len(where)
    width = config.hidden_size // heads
    qkv = linear(normed, weights[f"{name}.query_key_value.weight"], weights[f"{name}.query_key_value.bias"])
    query, key, value = qkv.view(size, heads, 3 * width).split(width, dim=-1)
    half = width // 2
    query, key = (
        torch.cat((turned(states[..., :half], where), turned(states[..., half:], into)), dim=-1)
        for states in (query, key)
    )
    visible = torch.tensor(seen)
    if prefix is not None:
        key, value = torch.cat((prefix[0], key)), torch.cat((prefix[1], value))
        visible = torch.cat((torch.ones(size, len(prefix[0]), dtype=torch.bool), visible), dim=1)
    scores = torch.einsum("qhd,khd->hqk", query, key) / math.sqrt(width)
    shares = scores.masked_fill(~visible, -10000.0).softmax(dim=-1)
    mixed = torch.einsum("hqk,khd->qhd", shares, value).reshape(size, -1)
    return linear(mixed, weights[f"{name}.dense.weight"], weights[f"{name}.dense.bias"])


def logits(weights: dict[str, torch.Tensor], config, ids: list[int]) -> torch.Tensor:
    """(S, V) of one unpadded row."""
    places = layout(ids, config)
    alpha = math.sqrt(2 * BLOCK_DEFAULT_LAYERS)
    hidden = weights["transformer.word_embeddings.weight"][torch.tensor(ids)]

    def norm(states, name):
        shape = (config.hidden_size,)
        return layer_norm(states, shape, weights[f"{name}.weight"], weights[f"{name}.bias"], config.layernorm_epsilon)

    for layer, prefix in enumerate(prefixes(weights, config)):
        name = f"transformer.layers.{layer}"
        normed = norm(hidden, f"{name}.input_layernorm")
        mixed = alpha * normed + attention(normed, weights, f"{name}.attention", config, places, prefix)
        normed = norm(mixed, f"{name}.post_attention_layernorm")
        inner = linear(normed, weights[f"{name}.mlp.dense_h_to_4h.weight"], weights[f"{name}.mlp.dense_h_to_4h.bias"])
        inner = gelu(inner, approximate="tanh")
        out = linear(inner, weights[f"{name}.mlp.dense_4h_to_h.weight"], weights[f"{name}.mlp.dense_4h_to_h.bias"])
        hidden = alpha * normed + out
    hidden = norm(hidden, "transformer.final_layernorm")
    return linear(hidden, weights.get("lm_head.weight", weights["transformer.word_embeddings.weight"]))


def greedy(weights, config, ids: list[int], num_tokens: int) -> list[int]:
    """The answer to a prompt, everything read again for each token."""
    answer: list[int] = []
    while len(answer) < num_tokens and config.eos_token_id not in answer:
        answer.append(int(logits(weights, config, [*ids, *answer])[-1].argmax()))
    return answer
