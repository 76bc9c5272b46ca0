"""Where the examples of a packed row begin and end, and what each of their tokens may see."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch.nn.attention.flex_attention import BlockMask, create_block_mask

Made = TypeVar("Made")

# Shapes: T tokens of the row, L tokens of one example, P tokens in front that everything sees (P-Tuning v2).


@dataclass(frozen=True, slots=True)
class Bounds:
    """One example of a packed row, in tokens: a context, then its outputs.

    The first `two_way` tokens of the context see each other both ways; 0 for a model that only looks back.
    """

    context: int
    outputs: tuple[int, ...]
    two_way: int = 0

    @property
    def length(self) -> int:
        return self.context + sum(self.outputs)

    def positions(self) -> list[int]:
        """Every output counts on from where the context ends."""
        return [*range(self.context), *(self.context + place for length in self.outputs for place in range(length))]

    def seen(self, prefix: int = 0) -> torch.Tensor:
        """Which tokens (rows) see which (columns): (L, P + L) bool."""
        seen = torch.ones(self.length, self.length, dtype=torch.bool).tril_()
        seen[: self.two_way, : self.two_way] = True
        start = self.context
        for length in self.outputs:
            start += length
            seen[start:, start - length : start] = False
        return torch.nn.functional.pad(seen, (prefix, 0), value=True)


@dataclass(frozen=True)
class Segments:
    """The examples of a packed row, in order. It travels to the attention as the argument `segments` of the model.

    Sizes are host numbers: nothing waits for the device to know them.
    """

    examples: tuple[Bounds, ...]

    @classmethod
    def of(cls, sizes: Sequence[tuple[int, Sequence[int]]]) -> Segments:
        """From the lengths of each example's context and outputs."""
        return cls(tuple(Bounds(context, tuple(outputs)) for context, outputs in sizes))

    def with_two_way(self, lengths: Sequence[int]) -> Segments:
        """With contexts whose first tokens, so many in each, see each other both ways."""
        return Segments(tuple(replace(one, two_way=n) for one, n in zip(self.examples, lengths, strict=True)))

    @cached_property
    def lengths(self) -> list[int]:
        return [example.length for example in self.examples]

    @property
    def num_tokens(self) -> int:
        return sum(self.lengths)

    def positions(self) -> torch.Tensor:
        """(1, T), what the model takes as `position_ids`."""
        return torch.tensor([[place for example in self.examples for place in example.positions()]])

    def numbers(self) -> torch.Tensor:
        """Which example each token belongs to: (1, T)."""
        return torch.repeat_interleave(torch.arange(len(self.examples)), torch.tensor(self.lengths))[None]

    def mask(self, prefix: int = 0) -> torch.Tensor:
        """The same as a plain mask, True where seen: (1, 1, T, P + T). It grows with the square of the row."""
        whole = torch.zeros(self.num_tokens, prefix + self.num_tokens, dtype=torch.bool)
        whole[:, :prefix] = True
        start = 0
        for example in self.examples:
            stop = start + example.length
            whole[start:stop, prefix + start : prefix + stop] = example.seen()
            start = stop
        return whole[None, None]

    def stand_in(self, device: torch.device) -> torch.Tensor:
        """A mask (1, 1, T, T) of no size, unless it is copied: with it, transformers makes none of its own."""
        return torch.zeros((), dtype=torch.bool, device=device).expand(1, 1, self.num_tokens, self.num_tokens)

    def seen(self, index: int, prefix: int, device: torch.device) -> torch.Tensor:
        """`Bounds.seen` of one example. As what follows, it is made once for all layers."""
        return self._once((self.examples[index], prefix, device), lambda: self.examples[index].seen(prefix).to(device))

    def bias(self, index: int, prefix: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        """The same as numbers to add to scores: 0 where seen, else -inf: (L, P + L)."""

        def make() -> torch.Tensor:
            seen = self.seen(index, prefix, device)
            return torch.zeros(seen.shape, dtype=dtype, device=device).masked_fill_(~seen, -torch.inf)

        return self._once((self.examples[index], prefix, dtype, device), make)

    def block_mask(self, prefix: int, device: torch.device) -> BlockMask:
        """What the whole row sees, for flex attention."""
        return self._once((prefix, device), lambda: self._make_block_mask(prefix, device))

    def _once(self, key: tuple[Hashable, ...], make: Callable[[], Made]) -> Made:
        if key not in self._made:
            self._made[key] = make()
        made: Made = self._made[key]
        return made

    def fresh(self) -> Segments:
        """The same without the masks that were made for it."""
        return Segments(self.examples)

    @cached_property
    def _made(self) -> dict[tuple[Hashable, ...], Any]:
        return {}

    def _make_block_mask(self, prefix: int, device: torch.device) -> BlockMask:
        example, output, two_way = (
            torch.tensor(numbers, device=device) for numbers in zip(*self._tokens(), strict=True)
        )

        def sees(b: torch.Tensor, h: torch.Tensor, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
            own = (k - prefix).clamp(min=0)
            looks_back = (own <= q) & ((output[own] == 0) | (output[own] == output[q]))
            return (k < prefix) | ((example[q] == example[own]) & (looks_back | (two_way[q] & two_way[own])))

        return create_block_mask(sees, None, None, self.num_tokens, prefix + self.num_tokens, device=device)

    def _tokens(self) -> Iterator[tuple[int, int, bool]]:
        """Of each token: its example, its output (0 for the context), and whether it is seen both ways."""
        for number, example in enumerate(self.examples):
            yield from ((number, 0, place < example.two_way) for place in range(example.context))
            yield from ((number, output, False) for output, n in enumerate(example.outputs, 1) for _ in range(n))
