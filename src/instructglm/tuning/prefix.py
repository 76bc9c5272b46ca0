"""P-Tuning v2: trained keys and values in front of every layer's own (Liu et al. 2022, arXiv:2110.07602).

ChatGLM-6B has the prefix inside the model, as its official code has: its
context is read both ways in one call, which a cache that is filled beforehand
cannot give. Every other model gets it through PEFT, in the cache.
"""

from __future__ import annotations

import torch
from peft import PeftModel, PrefixTuningConfig, get_peft_model
from transformers import PreTrainedModel

from instructglm.config.tuning import PrefixTuning
from instructglm.core.errors import ModelError
from instructglm.core.seeds import derived_seed
from instructglm.models.chatglm.modeling import ChatGLMForCausalLM
from instructglm.models.chatglm.prefix import PrefixEncoder, config_with_prefix
from instructglm.models.chatglm.prefix_files import save_prefix
from instructglm.tuning.method import TunedModel, settle_dtypes

_IN_CACHE = "its prefix of P-Tuning v2 lies in the cache, in front of one sequence a row"
# transformers takes the cache away from a checkpointed layer, and with it the prefix, and trains on.
_LOST = "tuning.method is prefix, and layers of this model that are computed again read no prefix"


def apply_prefix(model: PreTrainedModel, settings: PrefixTuning, *, dtype: torch.dtype, seed: int) -> TunedModel:
    """Put a prefix in front of `model`, drawn at random; it alone moves.

    Raises:
        ModelError: the model has one already.
    """
    with torch.random.fork_rng():
        torch.manual_seed(derived_seed(seed, "prefix"))
        if isinstance(model, ChatGLMForCausalLM):
            return _inside(model, settings, dtype)
        return _in_the_cache(model, settings, dtype)


def num_positions(model: PreTrainedModel, settings: PrefixTuning) -> int:
    """How many tokens of the model's window a prefix takes: none where it is inside, and has no positions."""
    return 0 if isinstance(model, ChatGLMForCausalLM) else settings.num_virtual_tokens


def _inside(model: ChatGLMForCausalLM, settings: PrefixTuning, dtype: torch.dtype) -> TunedModel:
    if model.transformer.prefix_encoder is not None:
        raise ModelError(
            f"this model has a prefix of {model.config.pre_seq_len} tokens already (pre_seq_len in its config.json)",
            hint="Start from the model without it, or choose `method: lora` or `method: full`.",
        )
    model.requires_grad_(False)
    config = config_with_prefix(model.config, settings.num_virtual_tokens, settings.prefix_projection)
    model.transformer.set_prefix(PrefixEncoder(config))
    settle_dtypes(model, dtype)
    return TunedModel(model, "adapter", write=save_prefix)


def _in_the_cache(model: PreTrainedModel, settings: PrefixTuning, dtype: torch.dtype) -> TunedModel:
    config = PrefixTuningConfig(
        num_virtual_tokens=settings.num_virtual_tokens,
        prefix_projection=settings.prefix_projection,
        encoder_hidden_size=model.config.hidden_size,
        task_type="CAUSAL_LM",
    )
    adapted: PeftModel = get_peft_model(model, config)
    settle_dtypes(adapted, dtype)
    return TunedModel(adapted, "adapter", against_checkpointing=_LOST, against_packing=_IN_CACHE)
