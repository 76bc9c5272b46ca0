"""How `generate` reads a prefix-LM: where the context ends is found once more at every step, in all ids so far.

Nothing is carried from step to step but linear positions, which transformers
extends by itself, so that greedy search, sampling, beams, static caches and
assisted decoding need no code of ours.
"""

from __future__ import annotations

from typing import Any, NoReturn

import torch
from transformers import Cache, GenerationMixin

from instructglm.core.errors import ModelError
from instructglm.models.chatglm import layout
from instructglm.models.chatglm.configuration import ChatGLMConfig

_LAYOUT = ("context_length", "mask_position")
_TWO_DIMENSIONS = "Give generate() the ids and a mask of 1 for a token and 0 for padding; the rest follows from them."


def _numbers(found: layout.Layout) -> dict[str, torch.Tensor]:
    # Copies, because the stride of a view would be another with every token, and compiled code is made for one.
    return {name: getattr(found, name)[:, 0].clone() for name in _LAYOUT}


class ChatGLMGenerationMixin(GenerationMixin):
    """What generation has to know beside what transformers does for every model."""

    config: ChatGLMConfig

    def generate(self, inputs: torch.Tensor | None = None, *arguments: Any, **kwargs: Any) -> Any:
        """As in transformers, for prompts that end with `<sop>`, padded on the left.

        Raises:
            ModelError: the mask is not 2-D, the padding is on the right, or positions are given in two rows.
        """
        mask, positions = kwargs.get("attention_mask"), kwargs.get("position_ids")
        if mask is not None and mask.ndim != 2:
            raise ModelError(f"an attention_mask of {mask.ndim} dimensions", hint=_TWO_DIMENSIONS)
        if positions is not None and positions.ndim != 2:
            raise ModelError("position_ids in two rows", hint=_TWO_DIMENSIONS)
        if mask is not None and not bool(mask[:, -1].all()):
            raise ModelError(
                "padding on the right; an answer begins after the last column",
                hint="Pad on the left: tokenizer(..., padding=True, padding_side='left').",
            )
        return super().generate(inputs, *arguments, **kwargs)

    def prompt_layout(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """`context_length` and `mask_position` (B,) of whole prompts (B, S), for calls that continue their cache.

        Raises:
            ModelError: a row has no `<sop>`.
        """
        found = self._find_layout(input_ids, attention_mask)
        layout.require_contexts(found, input_ids, attention_mask, self.config.pad_token_id)
        return _numbers(found)

    def _find_layout(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None) -> layout.Layout:
        positions = layout.linear_positions(attention_mask, input_ids.shape, 0, input_ids.device)
        documents = layout.documents(positions, packed=False)
        return layout.find_layout(input_ids, positions, documents, attention_mask, self.config)

    def prepare_inputs_for_generation(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """One call's inputs; `input_ids` are all so far, so that the layout is found in them at every step."""
        if any(kwargs.get(name) is None for name in _LAYOUT) and input_ids.shape[1]:
            first = kwargs.get("is_first_iteration", True)  # later on there is nothing new to refuse
            kwargs |= (
                self.prompt_layout(input_ids, attention_mask)
                if first
                else _numbers(self._find_layout(input_ids, attention_mask))
            )
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(
            input_ids, attention_mask=attention_mask, past_key_values=past_key_values, **kwargs
        )
        if getattr(past_key_values, "is_compileable", False):
            inputs["attention_mask"] = self._ready_mask(inputs)
        return inputs

    def _ready_mask(self, inputs: dict[str, Any]) -> Any:
        """The 4-D mask of one call, made outside the compiled forward pass of a static cache."""
        read = inputs["inputs_embeds"] if inputs.get("input_ids") is None else inputs["input_ids"]
        batch, length = read.shape[:2]
        sizes = torch.empty((batch, length, 0), dtype=self.dtype, device=self.device)
        positions = inputs["position_ids"].expand(batch, length)
        starts = (inputs[name][:, None] for name in _LAYOUT)
        place = layout.Layout(positions, torch.zeros_like(positions), *starts)
        mask = self.transformer.attention_mask(sizes, inputs.get("attention_mask"), inputs["past_key_values"], place)
        return mask.contiguous() if isinstance(mask, torch.Tensor) else mask

    @staticmethod
    def create_masks_for_generate(attention_mask: torch.Tensor | None = None, **_: Any) -> torch.Tensor | None:
        """Leave the mask to `prepare_inputs_for_generation`: transformers' own would read a context one way only."""
        return attention_mask

    def generate_batch(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse continuous batching, whose paged attention is causal.

        Raises:
            ModelError: always.
        """
        raise ModelError(
            "continuous batching reads a context one way only; ChatGLM-6B was trained to read it both ways",
            hint="Use generate() with a left-padded batch.",
        )

    init_continuous_batching = generate_batch
