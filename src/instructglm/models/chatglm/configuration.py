"""The shape of a ChatGLM-6B, under the names of the official config.json."""

# No `from __future__ import annotations`: `strict` checks only annotations that are types, and no strings.
import math
from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

from instructglm.core.errors import ModelError
from instructglm.models.config_file import PACKED, UNPACKED, packed_fault
from instructglm.models.families import has_later_fields

_BLOCK_DEFAULT_LAYERS = 28
_COUNTS = ("vocab_size", "hidden_size", "num_layers", "num_attention_heads", "inner_hidden_size", "max_sequence_length")


@strict
class ChatGLMConfig(PreTrainedConfig):
    """ChatGLM-6B (first generation). The defaults are the ones of its config.json since 2023-04-06.

    `residual_alpha` scales both residual paths. The official code means
    sqrt(2 * num_layers), but never tells its blocks how many layers there are,
    so that every model it made, whatever its depth, has sqrt(2 * 28).

    `pre_seq_len` and `prefix_projection` add the prefix encoder of P-Tuning v2
    (Liu et al. 2022, arXiv:2110.07602).

    Raises:
        ModelError: the model needs something that this architecture does not have; names every such field.
    """

    model_type = "chatglm"
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["past_key_values"]
    attribute_map: ClassVar[dict[str, str]] = {
        "num_hidden_layers": "num_layers",
        "intermediate_size": "inner_hidden_size",
        "max_position_embeddings": "max_sequence_length",
        "num_key_value_heads": "num_attention_heads",
    }

    vocab_size: int = 130528
    hidden_size: int = 4096
    num_layers: int = 28
    num_attention_heads: int = 32
    inner_hidden_size: int = 16384
    layernorm_epsilon: float | int = 1e-5
    max_sequence_length: int = 2048
    position_encoding_2d: bool = True
    residual_alpha: float | int = math.sqrt(2 * _BLOCK_DEFAULT_LAYERS)
    rope_theta: float | int = 10000.0
    initializer_range: float | int = 0.02
    use_cache: bool = True
    # config.json has no such key, and transformers 4 took its absence for True.
    tie_word_embeddings: bool = True
    bos_token_id: int = 130004
    eos_token_id: int | list[int] | None = 130005
    mask_token_id: int = 130000
    gmask_token_id: int = 130001
    pad_token_id: int | None = 3
    pre_seq_len: int | None = None
    prefix_projection: bool = False
    prefix_dropout: float | int = 0.1

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)
        faults = [*self._unfit_sizes(), *self._unknown_variants(kwargs)]
        if faults:
            raise ModelError(*faults, hint="Compare config.json with the official one of THUDM/chatglm-6b.")

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """The config that a config.json of `model_type: chatglm` describes: of this class, or of the later generations.

        ChatGLM2, ChatGLM3 and GLM-4 in their official layout have the same `model_type`; they become a `GlmConfig`.
        """
        if has_later_fields(config_dict):
            from instructglm.models.glm_import import auto_config

            return auto_config(config_dict, **kwargs)
        return super().from_dict(config_dict, **kwargs)

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads

    def _unfit_sizes(self) -> list[str]:
        counts = {name: getattr(self, name) for name in _COUNTS}
        faults = [f"{name} is {value}; expected 1 or more" for name, value in counts.items() if value < 1]
        if self.pre_seq_len is not None and self.pre_seq_len < 1:
            faults.append(f"pre_seq_len is {self.pre_seq_len}; expected 1 or more, or null")
        if self.layernorm_epsilon <= 0:
            faults.append(f"layernorm_epsilon is {self.layernorm_epsilon}; expected more than 0")
        if faults:
            return faults
        if self.hidden_size % self.num_attention_heads:
            faults.append(f"hidden_size {self.hidden_size} is no multiple of num_attention_heads")
        elif self.head_dim % 4:
            faults.append(f"heads have {self.head_dim} numbers; each of the two position rows needs an even half")
        ids = {name: getattr(self, name) for name in ("bos_token_id", "mask_token_id", "gmask_token_id")}
        faults += [
            f"{name} {token} is not in the vocabulary of {self.vocab_size}"
            for name, token in ids.items()
            if not 0 <= token < self.vocab_size
        ]
        return faults

    def _unknown_variants(self, extra: dict[str, Any]) -> list[str]:
        faults = []
        if not self.position_encoding_2d:
            faults.append("position_encoding_2d is false; ChatGLM-6B counts positions in two rows")
        if extra.get(PACKED):
            faults.append(f"{packed_fault(extra[PACKED])}. {UNPACKED}")
        return faults
