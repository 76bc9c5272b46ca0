"""The instructions of a project that are most like what somebody types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from threading import Lock
from typing import NamedTuple

from instructglm.annotation.collecting.near_duplicates import NEAR, NearDuplicates
from instructglm.annotation.collecting.prompts import stream_texts, texts_of
from instructglm.annotation.store.store import Store

_AT_ONCE = 1_000  # texts in memory


class AlikeInstruction(NamedTuple):
    """An instruction that is like the one typed; `similarity` is the share of their trigrams that both have."""

    instruction: int
    similarity: float
    text: str


class InstructionIndex:
    """The near-duplicates of a project, kept up to date. Make one for each project and keep it; threads may share it.

    What was imported since is read when it is next asked; what was withdrawn is
    never told. It holds 136 bytes an instruction.
    """

    def __init__(self, store: Store, project: int) -> None:
        self._store = store
        self._project = project
        self._last = 0
        self._turn = Lock()
        self._found = NearDuplicates(self._read)

    def __len__(self) -> int:
        return len(self._found)

    def _read(self, instructions: Sequence[int]) -> Mapping[int, str]:
        with self._store.read() as connection:
            return texts_of(connection, instructions)

    def refresh(self) -> None:
        """Take in the instructions that have come since."""
        with self._turn, self._store.read() as connection:
            new = stream_texts(connection, self._project, after=self._last)
            while block := list(islice(new, _AT_ONCE)):
                self._found.add(block)
                self._last = block[-1][0]

    def nearest(self, text: str, k: int = 5, *, at_least: float = 0.5) -> tuple[AlikeInstruction, ...]:
        """At most `k` instructions that share `at_least` of their trigrams with a text, the most alike first."""
        self.refresh()
        found = self._found.nearest(text, k, at_least=at_least)
        texts = self._read([one.id for one in found])
        return tuple(AlikeInstruction(one.id, one.similarity, texts[one.id]) for one in found if one.id in texts)

    def clusters(self, at_least: float = NEAR) -> tuple[tuple[int, ...], ...]:
        """Groups of instructions that are alike, the largest first; see `NearDuplicates.clusters`."""
        self.refresh()
        return self._found.clusters(at_least)
