"""What one call is given, checked and brought into one form: linear positions, and a mask in which True is seen."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import Cache

from instructglm.core.errors import ModelError
from instructglm.models.chatglm import layout
from instructglm.models.chatglm.configuration import ChatGLMConfig

# Shapes: B rows, S tokens of this call.


@dataclass(frozen=True, slots=True)
class Inputs:
    """Where the tokens of a call stand, and what may be seen at all."""

    positions: torch.Tensor  # (B, S) linear
    two_rows: torch.Tensor | None  # (B, 2, S) where they were given
    attention_mask: torch.Tensor | None  # 2-D, or 4-D and ready
    packed: bool


def read_inputs(
    input_ids: torch.Tensor | None,
    inputs_embeds: torch.Tensor | None,
    attention_mask: torch.Tensor | None,
    position_ids: torch.Tensor | None,
    cache: Cache | None,
    config: ChatGLMConfig,
) -> Inputs:
    """The arguments of `ChatGLMModel.forward` in one form.

    Raises:
        ModelError: see there.
    """
    read = input_ids if input_ids is not None else inputs_embeds
    if read is None or (input_ids is not None and inputs_embeds is not None):
        raise ValueError("give one of input_ids and inputs_embeds")
    position_ids, rows = (None, position_ids) if _are_two_rows(position_ids) else (position_ids, None)
    if input_ids is not None and attention_mask is not None:
        attention_mask = _seen(attention_mask, input_ids, config.bos_token_id)
    packed = _is_packed(position_ids, attention_mask, cache)
    if position_ids is None:
        past = 0 if cache is None else cache.get_seq_length()
        position_ids = layout.linear_positions(attention_mask, read.shape[:2], past, read.device)
    positions = position_ids.expand(read.shape[:2])
    _require_readable(input_ids, positions, config)
    # transformers keeps documents apart only where there is no mask.
    return Inputs(positions, rows, None if packed else attention_mask, packed)


def _are_two_rows(position_ids: torch.Tensor | None) -> bool:
    if position_ids is None or position_ids.ndim == 2:
        return False
    if position_ids.ndim == 3 and position_ids.shape[1] == 2:
        return True
    raise ModelError(
        f"position_ids have the shape {tuple(position_ids.shape)}; expected (rows, tokens) or (rows, 2, tokens)",
        hint="Give none: the model makes them from the ids and the attention mask.",
    )


def _seen(attention_mask: torch.Tensor, input_ids: torch.Tensor, sop_id: int) -> torch.Tensor:
    """A mask as transformers means it, also where the official tokenizer made it, in which True hides.

    Which of the two a 4-D bool mask is shows at `<sop>`: every token but padding sees itself.
    """
    square = attention_mask.ndim == 4 and attention_mask.shape[-1] == input_ids.shape[1]
    if not square or attention_mask.dtype != torch.bool or torch.compiler.is_compiling():
        return attention_mask
    own = attention_mask[:, 0].diagonal(dim1=-2, dim2=-1)  # (B, S)
    return attention_mask if bool(own[input_ids == sop_id].any()) else ~attention_mask


def _is_packed(position_ids: torch.Tensor | None, attention_mask: torch.Tensor | None, cache: Cache | None) -> bool:
    """Whether rows hold several documents, each with positions of its own."""
    if position_ids is None or position_ids.shape[-1] <= 1 or torch.compiler.is_compiling():
        return False
    if attention_mask is not None and attention_mask.ndim != 2:
        return False
    jumps = layout.jumps(position_ids)  # (B, S - 1)
    if attention_mask is not None:
        real = attention_mask[:, -position_ids.shape[1] :].bool()
        jumps = jumps & real[:, 1:] & real[:, :-1]
    if not bool(jumps.any()):
        return False
    if attention_mask is not None and not bool(attention_mask.all()):
        raise ModelError(
            "several documents in one row, and padding", hint="Pack without padding, and leave the attention mask out."
        )
    if cache is not None:
        raise ModelError(
            "several documents in one row, and a cache", hint="Pack for training only, without past_key_values."
        )
    return True


def _require_readable(input_ids: torch.Tensor | None, positions: torch.Tensor, config: ChatGLMConfig) -> None:
    """Refuse what can only give a wrong answer. One look at each context, none at a generated token."""
    if positions.shape[1] <= 1 or torch.compiler.is_compiling():
        return
    length, limit = int(positions.max()) + 1, config.max_sequence_length
    if length > limit:
        raise ModelError(
            f"a sequence has {length} tokens; this model reads {limit} (max_sequence_length in config.json)",
            hint="Cut the text before [gMASK] and `<sop>` are added, or lower data.max_length.",
        )
    ends = () if input_ids is None else (int(end) for end in input_ids.aminmax())
    for wrong in (end for end in ends if not 0 <= end < config.vocab_size):
        raise ModelError(
            f"id {wrong} in input_ids is not in this model's vocabulary of {config.vocab_size}",
            hint="Use the tokenizer that belongs to this model; ids from before 2023-04-06 are 20000 higher.",
        )
