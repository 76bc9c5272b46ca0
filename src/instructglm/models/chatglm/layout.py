"""Where a context ends, and what follows from it: the prefix-LM mask and GLM's two rows of positions.

A sequence is `context [gMASK] <sop> answer <eop>`. The context (all tokens
before `<sop>`) sees itself both ways; from `<sop>` on a token sees what lies
before it. GLM counts positions in two rows (Du et al. 2022, arXiv:2103.10360,
section 2.1): the first runs over the context and then rests on the mask token
that is being filled, the second is 0 in the context and counts 1, 2, 3 ... from
`<sop>` on.

Everything is derived here, for training, generation and packing alike, from
linear positions (0, 1, 2 ... over the real tokens of a document) and two
numbers a document: `context_length`, the position of `<sop>`, and
`mask_position`, that of the mask token. For an infilling the mask token is
[MASK]; where a [gMASK] stands in the context, it is the one that counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import torch
from torch.nn.functional import pad

from instructglm.core.errors import ModelError
from instructglm.models.chatglm.configuration import ChatGLMConfig
from instructglm.models.shared_prefix import Segments

# Shapes: B rows, S tokens of this call, P tokens in the cache before it.

_NOWHERE = 2**30  # a position that no token has
_HINT = "A prompt is: text, [gMASK], `<sop>`; the tokenizer appends both. Cut a long text before they are added."


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each token of a call stands, and where the context of its document ends."""

    positions: torch.Tensor  # (B, S) linear
    documents: torch.Tensor  # (B, S) which of a row's documents
    context_length: torch.Tensor  # (B, S), or (B, 1) where a row is one document
    mask_position: torch.Tensor  # likewise

    def two_rows(self) -> torch.Tensor:
        """GLM's positions: where a token stands, and how far it is into the answer: (B, 2, S)."""
        where = torch.where(self.in_context(), self.positions, self.mask_position)
        into_answer = (self.positions - self.context_length + 1).clamp(min=0)
        return torch.stack((where, into_answer), dim=1)

    def in_context(self) -> torch.Tensor:
        return self.positions < self.context_length  # (B, S)

    def two_way(self, segments: Segments) -> Segments:
        """With the contexts, all before `<sop>`, seen both ways."""
        starts = [0, *accumulate(segments.lengths)][:-1]
        return segments.with_two_way(self.context_length[0, starts].tolist())

    def blocks(self, past: int) -> torch.Tensor:
        """Equal numbers see each other both ways, -1 only looks back: transformers' block ids: (B, P + S)."""
        return pad(torch.where(self.in_context(), self.documents, -1), (past, 0), value=-1)


def linear_positions(
    attention_mask: torch.Tensor | None, size: torch.Size, past: int | torch.Tensor, device: torch.device
) -> torch.Tensor:
    """Positions that count the real tokens of each row; padding on the left is 0: (B, S)."""
    if attention_mask is None:
        return (torch.arange(size[1], device=device) + past).expand(size)
    return (attention_mask.long().cumsum(-1) - 1).clamp(min=0)[:, -size[1] :]


def jumps(position_ids: torch.Tensor) -> torch.Tensor:
    """Where the next token does not stand right after this one: (B, S - 1)."""
    return position_ids[:, 1:] - position_ids[:, :-1] != 1


def documents(position_ids: torch.Tensor, *, packed: bool) -> torch.Tensor:
    """The number of each token's document; in a packed row one begins wherever positions jump: (B, S)."""
    if not packed:
        return torch.zeros_like(position_ids)
    return pad(jumps(position_ids).long().cumsum(-1), (1, 0))


def find_layout(
    input_ids: torch.Tensor,
    positions: torch.Tensor,
    document_ids: torch.Tensor,
    attention_mask: torch.Tensor | None,
    config: ChatGLMConfig,
) -> Layout:
    """The layout of rows that hold their contexts. Without an end of the context, numbers are `nowhere`.

    `input_ids`, `positions` and `document_ids` are (B, S); a 2-D mask may be longer on the left.
    """
    real = _real(input_ids, attention_mask)

    def first(hits: torch.Tensor) -> torch.Tensor:
        places = torch.where(hits & real, positions, _NOWHERE)
        found = torch.full_like(places, _NOWHERE).scatter_reduce(1, document_ids, places, "amin")
        return found.gather(1, document_ids)  # (B, S)

    context_length = first(input_ids.eq(config.bos_token_id))
    before = positions < context_length
    gmask = first((input_ids == config.gmask_token_id) & before)
    mask = first((input_ids == config.mask_token_id) & before)
    return Layout(positions, document_ids, context_length, torch.where(gmask == _NOWHERE, mask, gmask))


def _real(input_ids: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
    if attention_mask is None:
        return torch.ones_like(input_ids, dtype=torch.bool)
    return attention_mask[:, -input_ids.shape[1] :].bool()


def require_contexts(
    layout: Layout, input_ids: torch.Tensor, attention_mask: torch.Tensor | None, pad_id: int | None
) -> None:
    """Refuse rows whose context has no end.

    Raises:
        ModelError: no `<sop>`, or no mask token before it; names the rows.
    """
    needed = _real(input_ids, attention_mask)
    if pad_id is not None:
        needed = needed & (input_ids != pad_id)
    parts = {"`<sop>`": layout.context_length, "[gMASK] or [MASK] before `<sop>`": layout.mask_position}
    for name, found in parts.items():
        rows = ((found == _NOWHERE) & needed).any(dim=1).nonzero().flatten().tolist()
        if rows:
            shown = ", ".join(map(str, rows[:8])) + (" ..." if len(rows) > 8 else "")
            raise ModelError(f"no {name} in row {shown} of input_ids {tuple(input_ids.shape)}", hint=_HINT)
