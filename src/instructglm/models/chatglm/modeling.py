"""ChatGLM-6B (first generation) on today's transformers.

What sets it apart from a Llama: both residual paths carry the layer-normed
input times `residual_alpha`; a head's query, key and value lie together in one
projection; half of every head is rotated by the first row of positions and
half by the second; the context is seen both ways (`layout.py`). Parameters have
the official names, so that official checkpoints load and ours are read by
whoever reads those. Facts: modeling_chatglm.py of THUDM/chatglm-6b at 8b7d335.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn.attention.flex_attention import BlockMask
from transformers import Cache, DynamicCache, PreTrainedModel
from transformers.masking_utils import create_causal_mask
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from transformers.utils import can_return_tuple
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from instructglm.core.errors import ModelError
from instructglm.models.chatglm import layout
from instructglm.models.chatglm.configuration import ChatGLMConfig
from instructglm.models.chatglm.generation import ChatGLMGenerationMixin
from instructglm.models.chatglm.inputs import Inputs, positions_of, read_inputs
from instructglm.models.chatglm.layers import ChatGLMAttention, ChatGLMBlock, inverse_frequencies, rotation
from instructglm.models.chatglm.masks import packed_mask, ready_mask, with_prefix
from instructglm.models.chatglm.prefix import PrefixEncoder
from instructglm.models.shared_prefix import Segments

# Shapes: B rows, S tokens of this call, E hidden size, V vocabulary.

_ONE_CALL = (
    "Read a whole context in one call, because its tokens see each other both ways: no prefill_chunk_size, "
    "and P-Tuning v2 by `pre_seq_len` in the config instead of a prefix in the cache."
)
_GIVE_LAYOUT = "Give both, (rows,) each; model.prompt_layout(input_ids) finds them where there are ids."


class ChatGLMPreTrainedModel(PreTrainedModel):
    """What the base model and the language model share."""

    config: ChatGLMConfig
    config_class = ChatGLMConfig
    base_model_prefix = "transformer"
    supports_gradient_checkpointing = True
    # Flash kernels take no mask: the context would silently be read one way only.
    _supports_flash_attn = False
    _supports_sdpa = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True
    _no_split_modules: ClassVar[list[str]] = ["ChatGLMBlock"]
    _skip_keys_device_placement: ClassVar[list[str]] = ["past_key_values"]
    _keys_to_ignore_on_load_unexpected: ClassVar[list[str]] = [r"rotary_emb\.inv_freq"]
    _can_record_outputs: ClassVar[dict[str, Any]] = {"hidden_states": ChatGLMBlock, "attentions": ChatGLMAttention}
    _input_embed_layer = "word_embeddings"


class ChatGLMModel(ChatGLMPreTrainedModel):
    """The transformer without its head."""

    def __init__(self, config: ChatGLMConfig) -> None:
        super().__init__(config)
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(ChatGLMBlock(config, index) for index in range(config.num_layers))
        self.final_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layernorm_epsilon)
        self.frequencies = inverse_frequencies(config)
        self.prefix_encoder = PrefixEncoder(config) if config.pre_seq_len is not None else None
        self.gradient_checkpointing = False
        self.post_init()

    def set_prefix(self, encoder: PrefixEncoder) -> None:
        """Read the keys and values of `encoder` in front of every layer's own from now on; the config names them too.

        An earlier prefix is replaced.
        """
        self.config.pre_seq_len = encoder.config.pre_seq_len
        self.config.prefix_projection = encoder.config.prefix_projection
        self.prefix_encoder = encoder.to(self.word_embeddings.weight.device).train(self.training)

    @contextmanager
    def prefix_off(self) -> Iterator[None]:
        """Within the block, read (and save) as if there were no prefix."""
        encoder, self.prefix_encoder = self.prefix_encoder, None
        length, self.config.pre_seq_len = self.config.pre_seq_len, None
        try:
            yield
        finally:
            self.prefix_encoder, self.config.pre_seq_len = encoder, length

    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        use_cache: bool | None = None,
        context_length: torch.Tensor | None = None,
        mask_position: torch.Tensor | None = None,
        segments: Segments | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        """Hidden states after the final norm.

        Args:
            input_ids: (B, S)
            attention_mask: (B, tokens so far and S), 1 for a token and 0 for padding on either side; or a ready
                4-D mask, True or 0.0 where a token is seen. The official tokenizer's, where True hides, is recognised.
            position_ids: (B, S), linear: 0, 1, 2 ... over the real tokens. GLM's two rows are made from them. Several
                documents in one row, each counting from 0, are kept apart. Or the two rows themselves, (B, 2, S), as
                the official tokenizer makes them.
            past_key_values: what was read before.
            inputs_embeds: (B, S, E) instead of `input_ids`; the two numbers below must then be given.
            use_cache: return what was read, for a next call.
            context_length: (B,) position of `<sop>`; found in `input_ids` where it is not given.
            mask_position: (B,) position of the mask token, likewise.
            segments: what one packed row holds: contexts, each with its outputs. Positions and mask follow from it.
            **kwargs: for the attention function.

        Raises:
            ModelError: a row has no `<sop>`, an id is not in the vocabulary, or the context is longer than
                `max_sequence_length`.
        """
        if segments is not None:
            attention_mask, position_ids = None, positions_of(segments, input_ids, past_key_values)
        call = read_inputs(input_ids, inputs_embeds, attention_mask, position_ids, past_key_values, self.config)
        hidden = self.word_embeddings(input_ids) if inputs_embeds is None else inputs_embeds  # (B, S, E)
        if use_cache and past_key_values is None and not call.packed:
            past_key_values = DynamicCache(config=self.config)
        place = self._lay_out(input_ids, call, context_length, mask_position, segments)
        if segments is None:
            mask = self.attention_mask(hidden, call.attention_mask, past_key_values, place)
        else:
            segments = place.two_way(segments)
            mask = packed_mask(segments, self.config._attn_implementation, hidden.device)
            kwargs["segments"] = segments
        prefix = None
        if self.prefix_encoder is not None:
            prefix = self.prefix_encoder(len(hidden), hidden.dtype)
            mask = with_prefix(mask, prefix.shape[-2])
        rotations = rotation(
            place.two_rows() if call.two_rows is None else call.two_rows, self.frequencies, hidden.dtype
        )
        with _as_written(hidden.device, mask):
            for index, block in enumerate(self.layers):
                hidden = block(
                    hidden,
                    None if prefix is None else prefix[index],
                    rotations=rotations,
                    attention_mask=mask,
                    past_key_values=past_key_values,
                    **kwargs,
                )
        return BaseModelOutputWithPast(last_hidden_state=self.final_layernorm(hidden), past_key_values=past_key_values)

    def _lay_out(
        self,
        input_ids: torch.Tensor | None,
        call: Inputs,
        context_length: torch.Tensor | None,
        mask_position: torch.Tensor | None,
        segments: Segments | None,
    ) -> layout.Layout:
        documents = layout.documents(call.positions, packed=call.packed)
        if segments is not None:
            documents = segments.numbers().to(call.positions.device)
        if context_length is not None and mask_position is not None:
            return layout.Layout(call.positions, documents, context_length[:, None], mask_position[:, None])
        if input_ids is None:
            raise ModelError("inputs_embeds without context_length and mask_position", hint=_GIVE_LAYOUT)
        found = layout.find_layout(input_ids, call.positions, documents, call.padding_mask, self.config)
        if not torch.compiler.is_compiling():
            layout.require_contexts(found, input_ids, call.padding_mask, self.config.pad_token_id)
        return found

    def attention_mask(
        self,
        hidden: torch.Tensor,
        attention_mask: torch.Tensor | BlockMask | None,
        cache: Cache | None,
        place: layout.Layout,
    ) -> Any:
        """The mask in the form that the attention function takes, without a prefix; a ready one stays as it is.

        Of `hidden` (B, S, ...) only the sizes and the dtype count. What a single new token sees needs no blocks.
        """
        blocks = None
        if isinstance(attention_mask, torch.Tensor) and attention_mask.ndim == 4:
            return ready_mask(attention_mask, self.config._attn_implementation)
        if hidden.shape[1] > 1:
            past = 0 if cache is None else int(cache.get_seq_length())
            if past and bool(place.in_context().any()):
                raise ModelError("part of a context in a call that continues a cache", hint=_ONE_CALL)
            blocks = place.blocks(past)
        return create_causal_mask(
            config=self.config,
            inputs_embeds=hidden,
            attention_mask=attention_mask,
            past_key_values=cache,
            position_ids=place.positions,
            block_sequence_ids=blocks,
        )


def _as_written(device: torch.device, mask: Any) -> AbstractContextManager[Any]:
    """Flex attention without compiling it, on a CPU: torch makes wrong C++ of it once lengths have changed."""
    if isinstance(mask, BlockMask) and device.type == "cpu" and not torch.compiler.is_compiling():
        eager: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
        return eager
    return nullcontext()


class ChatGLMForCausalLM(ChatGLMPreTrainedModel, ChatGLMGenerationMixin):
    """ChatGLM-6B with its language-model head, tied to the embeddings as in every published checkpoint."""

    _tied_weights_keys: ClassVar[dict[str, str]] = {"lm_head.weight": "transformer.word_embeddings.weight"}

    def __init__(self, config: ChatGLMConfig) -> None:
        super().__init__(config)
        self.transformer = ChatGLMModel(config)
        self.vocab_size = config.vocab_size
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Logits (B, S, V), and the mean cross entropy of `labels` (B, S), which are shifted here; -100 is not trained.

        The other arguments are those of `ChatGLMModel.forward`. `logits_to_keep` is how many of the last tokens,
        or which tokens, get logits; 0 is all.
        """
        outputs = self.transformer(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **kwargs,
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(outputs.last_hidden_state[:, kept])
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.vocab_size, **kwargs)
        return CausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )
