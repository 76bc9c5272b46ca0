"""A sequence of ids, and which of them are trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

IGNORE_INDEX = -100  # the label of an id that is read but not trained: what PyTorch's cross entropy leaves out


class Encoded(NamedTuple):
    """A context, or a context with an answer after it.

    `labels` are as long as `input_ids`: the id itself where it is trained,
    else -100, not yet shifted. `context_length` is the number of ids before
    the first that is trained of the last answer. Trained ids may stand before
    it too, where a family trains every answer of a conversation.
    """

    input_ids: list[int]
    labels: list[int]
    context_length: int

    @classmethod
    def untrained(cls, input_ids: Sequence[int]) -> Encoded:
        """A context of which nothing is trained."""
        return cls(list(input_ids), [IGNORE_INDEX] * len(input_ids), len(input_ids))

    def followed_by(self, trained_ids: Sequence[int]) -> Encoded:
        """With further ids after it, all of which are trained."""
        return Encoded([*self.input_ids, *trained_ids], [*self.labels, *trained_ids], self.context_length)
