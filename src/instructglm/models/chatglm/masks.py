"""Ready masks in the form that each attention function takes."""

from __future__ import annotations

import torch
from torch.nn.attention.flex_attention import BlockMask, create_block_mask
from torch.nn.functional import pad

from instructglm.core.errors import ModelError
from instructglm.models.registration import SHARED_PREFIX
from instructglm.models.shared_prefix import Segments

# Shapes: B rows, Q queries, K keys.


def ready_mask(mask: torch.Tensor, attn_implementation: str) -> torch.Tensor | BlockMask:
    """A 4-D mask (B, 1, Q, K) that somebody made: as it is, or as flex attention needs it.

    Raises:
        ModelError: it is for flex attention, and holds numbers: those would be added to scores of the wrong shape.
    """
    if attn_implementation != "flex_attention":
        return mask
    if mask.dtype != torch.bool:
        raise ModelError(
            f"a 4-D attention_mask of {mask.dtype} with flex_attention", hint="Give it as bool, True where seen."
        )
    seen = mask[:, 0]

    def look_up(b: torch.Tensor, _: torch.Tensor, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return seen[b, q, k]

    batch_size, num_queries, num_keys = seen.shape
    return create_block_mask(look_up, batch_size, None, num_queries, num_keys, device=mask.device)


def packed_mask(segments: Segments, attn_implementation: str, device: torch.device) -> torch.Tensor | BlockMask | None:
    """The mask of a packed row; None where the attention reads the segments themselves."""
    if attn_implementation == SHARED_PREFIX:
        return None
    return ready_mask(segments.mask().to(device), attn_implementation)


def with_prefix(mask: torch.Tensor | BlockMask | None, length: int) -> torch.Tensor | BlockMask | None:
    """A mask with `length` columns in front that every token sees; None (everything is seen) stays None."""
    if mask is None:
        return None
    if isinstance(mask, BlockMask):
        return _block_mask_with_prefix(mask, length)
    return pad(mask, (length, 0), value=mask.dtype == torch.bool)


def _block_mask_with_prefix(mask: BlockMask, length: int) -> BlockMask:
    batch_size, _, num_queries, num_keys = mask.shape
    sees = mask.mask_mod

    def or_prefix(b: torch.Tensor, h: torch.Tensor, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return (k < length) | sees(b, h, q, (k - length).clamp(min=0))

    device = mask.kv_num_blocks.device
    return create_block_mask(or_prefix, batch_size, None, num_queries, num_keys + length, device=device)
