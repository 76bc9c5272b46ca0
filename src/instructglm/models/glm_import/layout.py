"""The official layout of the weights, read while a `GlmForCausalLM` is loaded."""

from __future__ import annotations

from collections.abc import Mapping

from transformers import GlmConfig, GlmForCausalLM
from transformers.conversion_mapping import register_checkpoint_conversion_mapping
from transformers.core_model_loading import Split, WeightConverter, WeightRenaming

Shape = tuple[int, ...]

OFFICIAL_NAMES = {
    "transformer.embedding.word_embeddings.": "model.embed_tokens.",
    "transformer.encoder.final_layernorm.": "model.norm.",
    "transformer.encoder.layers.": "model.layers.",
    "transformer.output_layer.": "lm_head.",
    ".self_attention.dense.": ".self_attn.o_proj.",
    ".mlp.dense_h_to_4h.": ".mlp.gate_up_proj.",
    ".mlp.dense_4h_to_h.": ".mlp.down_proj.",
}  # a part of an official name: the same part of ours
FUSED = ".self_attention.query_key_value."
PARTS = (".self_attn.q_proj.", ".self_attn.k_proj.", ".self_attn.v_proj.")
UNUSED = "transformer.rotary_pos_emb.inv_freq"
"""A buffer of official checkpoints that is computed anew."""
_NO_NAME = r"(?!)"  # a pattern that nothing matches


class _OneWayRenaming(WeightRenaming):
    """A renaming for reading alone.

    transformers undoes what it did on reading when it saves. The config it
    saves beside would be one of `model_type: glm`, which nobody could read
    together with weights in the official layout.
    """

    __slots__ = ()

    def reverse_transform(self) -> WeightRenaming:
        return WeightRenaming(_NO_NAME, _NO_NAME)


class _OneWayConverter(WeightConverter):
    """A conversion for reading alone, like `_OneWayRenaming`."""

    __slots__ = ()

    def reverse_transform(self) -> WeightRenaming:
        return WeightRenaming(_NO_NAME, _NO_NAME)


def read_official_layout() -> None:
    """Let `GlmForCausalLM.from_pretrained` read the official layout too, from now on in this process.

    None of the official names occurs in transformers' own layout, so other
    checkpoints are read and saved as before. May be called more than once.
    """
    renamings = [_OneWayRenaming(_pattern(official), ours) for official, ours in OFFICIAL_NAMES.items()]
    split = _OneWayConverter(_pattern(FUSED), list(PARTS), operations=[Split(dim=0)])
    # By the name of the class: PEFT takes a mapping of the model type for one that merges experts.
    register_checkpoint_conversion_mapping(GlmForCausalLM.__name__, [*renamings, split], overwrite=True)


def _pattern(name: str) -> str:
    anchor = "^" if name.startswith("transformer.") else ""
    return anchor + name.replace(".", r"\.")


def official_shapes(config: GlmConfig) -> Mapping[str, Shape]:
    """The weights that an official checkpoint of this config holds, by their official names."""
    width, vocabulary = config.hidden_size, config.vocab_size
    shapes: dict[str, Shape] = {"transformer.embedding.word_embeddings.weight": (vocabulary, width)}
    for layer in range(config.num_hidden_layers):
        prefix = f"transformer.encoder.layers.{layer}."
        shapes |= {prefix + name: shape for name, shape in _layer_shapes(config).items()}
    shapes["transformer.encoder.final_layernorm.weight"] = (width,)
    shapes["transformer.output_layer.weight"] = (vocabulary, width)
    return shapes


def _layer_shapes(config: GlmConfig) -> Mapping[str, Shape]:
    width, inner = config.hidden_size, config.intermediate_size
    queries = config.num_attention_heads * config.head_dim
    fused = queries + 2 * config.num_key_value_heads * config.head_dim
    shapes: dict[str, Shape] = {
        "input_layernorm.weight": (width,),
        "self_attention.query_key_value.weight": (fused, width),
        "self_attention.dense.weight": (width, queries),
        "post_attention_layernorm.weight": (width,),
        "mlp.dense_h_to_4h.weight": (2 * inner, width),
        "mlp.dense_4h_to_h.weight": (width, inner),
    }
    if config.attention_bias:
        shapes["self_attention.query_key_value.bias"] = (fused,)
    return shapes
