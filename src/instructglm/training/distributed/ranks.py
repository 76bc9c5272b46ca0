"""What the processes of a run know of each other, and say to each other beside their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed

from instructglm.core.errors import RunError

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """One of `world_size` processes that train together; without arguments, the only one.

    Every method but `share` is a collective call: all processes make it, in the
    same order, or all wait.
    """

    rank: int = 0
    world_size: int = 1
    strategy: str = "ddp"
    """How their gradients meet; see `engines`."""

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and speaks."""
        return self.rank == 0

    def share(self, items: Sequence[T]) -> list[T]:
        """What of `items`, which all have alike, is this process's to do."""
        return list(items[self.rank :: self.world_size])

    def gather(self, *values: float) -> list[tuple[float, ...]]:
        """The values of every process, in the order of ranks: the same in all, to the bit."""
        if self.world_size == 1:
            return [values]
        mine = torch.tensor(values, dtype=torch.float64)
        everyone = [torch.empty_like(mine) for _ in range(self.world_size)]
        distributed.all_gather(everyone, mine)
        return [tuple(one.tolist()) for one in everyone]

    def any(self, flag: bool) -> bool:
        """Whether it is so in one process at least."""
        return any(one for (one,) in self.gather(flag))

    def wait(self) -> None:
        """Go on when all are here."""
        self.gather(0.0)

    def collect(self, value: T) -> list[T]:
        """The values of all processes in the first, nothing in the others."""
        if self.world_size == 1:
            return [value]
        everyone: list[T | None] | None = [None] * self.world_size if self.is_first else None
        distributed.gather_object(value, everyone)
        return [one for one in everyone or [] if one is not None]

    def of_first(self, value: T) -> T:
        """The value of the first process, in all."""
        if self.world_size == 1:
            return value
        told = [value]
        distributed.broadcast_object_list(told, src=0)
        return told[0]

    def require_equal(self, **facts: float) -> None:
        """See that all processes are about to do the same.

        Raises:
            RunError: they are not; names what differs.
        """
        everyone = self.gather(*facts.values())
        for name, values in zip(facts, zip(*everyone, strict=True), strict=True):
            if len(set(values)) > 1:
                found = ", ".join(f"{value:g}" for value in values)
                raise RunError(
                    f"the processes of this run differ in {name}: {found} (by rank)",
                    hint="See that all nodes have the same files, the same devices and the same versions installed.",
                )


ALONE = Ranks()
