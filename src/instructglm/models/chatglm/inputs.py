"""What one call is given, checked and brought into one form: linear positions, and a mask in which True is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

import torch
from torch.nn.attention.flex_attention import BlockMask
from transformers import Cache

from instructglm.core.errors import ModelError
from instructglm.models.chatglm import layout
from instructglm.models.chatglm.configuration import ChatGLMConfig
from instructglm.models.guard import require_ids, require_length
from instructglm.models.old_ids import OLD_IDS
from instructglm.models.shared_prefix import Segments

# Shapes: B rows, S tokens of this call.

_OWN_TOKENIZER = f"Use the tokenizer that belongs to this model; of ids from before 2023-04-06 {OLD_IDS}."


@dataclass(frozen=True, slots=True)
class Inputs:
    """Where the tokens of a call stand, and what may be seen at all."""

    positions: torch.Tensor  # (B, S) linear
    two_rows: torch.Tensor | None  # (B, 2, S) where they were given
    attention_mask: torch.Tensor | BlockMask | None  # 2-D, or 4-D and ready
    packed: bool

    @property
    def padding_mask(self) -> torch.Tensor | None:
        """The mask where it is 2-D and says which tokens are padding."""
        return self.attention_mask if _says_padding(self.attention_mask) else None


def read_inputs(
    input_ids: torch.Tensor | None,
    inputs_embeds: torch.Tensor | None,
    attention_mask: torch.Tensor | BlockMask | None,
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
    size, past = read.shape[:2], 0 if cache is None else cache.get_seq_length()
    position_ids, rows = _linear_or_two_rows(position_ids, past)
    if input_ids is not None and not torch.compiler.is_compiling():
        attention_mask = _own_mask(attention_mask, input_ids, position_ids, past, config)
    _require_as_wide(attention_mask, size)
    packed = _is_packed(position_ids, attention_mask, cache)
    if position_ids is None:
        padding = attention_mask if _says_padding(attention_mask) else None  # a ready mask says nothing of it
        position_ids = layout.linear_positions(padding, size, past, read.device)
    positions = position_ids.expand(size)
    if not torch.compiler.is_compiling() and (size[1] > 1 or (isinstance(past, int) and not past)):
        _require_readable(input_ids, positions, config)
    # transformers keeps documents apart only where there is no mask.
    return Inputs(positions, rows, None if packed else attention_mask, packed)


def positions_of(segments: Segments, input_ids: torch.Tensor | None, cache: Cache | None) -> torch.Tensor:
    """The linear positions of a packed row: (1, S).

    Raises:
        ModelError: the call is not one whole row of ids, without a cache, as long as the segments.
    """
    if input_ids is None or cache is not None or input_ids.shape != (1, segments.num_tokens):
        found = "no input_ids" if input_ids is None else f"input_ids {tuple(input_ids.shape)}"
        raise ModelError(
            f"segments of {segments.num_tokens} tokens with {found}{' and a cache' if cache is not None else ''}",
            hint="Give the whole packed row as input_ids (1, tokens), without past_key_values.",
        )
    return segments.positions().to(input_ids.device)


def _says_padding(attention_mask: torch.Tensor | BlockMask | None) -> TypeGuard[torch.Tensor]:
    return isinstance(attention_mask, torch.Tensor) and attention_mask.ndim == 2


def _linear_or_two_rows(
    position_ids: torch.Tensor | None, past: int | torch.Tensor
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    if position_ids is None or position_ids.ndim == 2:
        return position_ids, None
    if position_ids.ndim != 3 or position_ids.shape[1] != 2:
        raise ModelError(
            f"position_ids have the shape {tuple(position_ids.shape)}; expected (rows, tokens) or (rows, 2, tokens)",
            hint="Give none: the model makes them from the ids and the attention mask.",
        )
    if past:
        raise ModelError(
            "position_ids in two rows, in a call that continues a cache",
            hint="Give what model.prompt_layout(prompt) returned instead, with no position_ids and a 2-D mask.",
        )
    return None, position_ids


def _own_mask(
    attention_mask: torch.Tensor | BlockMask | None,
    input_ids: torch.Tensor,
    position_ids: torch.Tensor | None,
    past: int | torch.Tensor,
    config: ChatGLMConfig,
) -> torch.Tensor | BlockMask | None:
    """The mask as transformers means it, also where the official tokenizer made it, or where there is none."""
    if attention_mask is None and position_ids is None and input_ids.shape[1] > 1 and not past:
        if config.pad_token_id is None:
            return None
        leading = input_ids.eq(config.pad_token_id).long().cumprod(dim=1)  # padding in front is never text
        return 1 - leading if bool(leading.any()) else None
    if not isinstance(attention_mask, torch.Tensor) or attention_mask.dtype != torch.bool or attention_mask.ndim != 4:
        return attention_mask
    if attention_mask.shape[-1] != input_ids.shape[1]:
        return attention_mask
    # Whether True hides or shows is seen at `<sop>`: every token but padding sees itself.
    own = attention_mask[:, 0].diagonal(dim1=-2, dim2=-1)  # (B, S)
    return attention_mask if bool(own[input_ids == config.bos_token_id].any()) else ~attention_mask


def _require_as_wide(attention_mask: torch.Tensor | BlockMask | None, size: torch.Size) -> None:
    if _says_padding(attention_mask) and attention_mask.shape[1] < size[1]:
        raise ModelError(
            f"attention_mask has {attention_mask.shape[1]} columns for {size[1]} tokens",
            hint="Give one for each token, those in the cache included: 1 for a token, 0 for padding.",
        )


def _is_packed(
    position_ids: torch.Tensor | None, attention_mask: torch.Tensor | BlockMask | None, cache: Cache | None
) -> bool:
    """Whether rows hold several documents, each with positions of its own."""
    if position_ids is None or position_ids.shape[-1] <= 1 or torch.compiler.is_compiling():
        return False
    jumps = layout.jumps(position_ids)  # (B, S - 1)
    if _says_padding(attention_mask):
        real = attention_mask[:, -position_ids.shape[1] :].bool()
        jumps = jumps & real[:, 1:] & real[:, :-1]
    elif attention_mask is not None:
        return False
    if not bool(jumps.any()):
        return False
    if _says_padding(attention_mask) and not bool(attention_mask.all()):
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
    require_length(int(positions.max()) + 1, config.max_sequence_length, "max_sequence_length")
    if input_ids is not None:
        require_ids(input_ids, config.vocab_size, hint=_OWN_TOKENIZER)
