"""What a text is like, project by project: the indices are made when first asked for, and the last ones kept."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from instructglm.annotation.collecting.index import AlikeInstruction, InstructionIndex
from instructglm.annotation.store import Store

_MOST_KEPT = 16  # projects; an index of 100,000 instructions holds 14 MB


class Likeness:
    """The near-duplicates of a store's projects; threads may share it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._kept: OrderedDict[int, InstructionIndex] = OrderedDict()

    def nearest(self, project: int, text: str) -> tuple[AlikeInstruction, ...]:
        """The project's instructions that are most like a text, those that are little like it left out."""
        return self._index(project).nearest(text)

    def _index(self, project: int) -> InstructionIndex:
        with self._lock:
            index = self._kept.pop(project, None) or InstructionIndex(self._store, project)
            self._kept[project] = index
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
            return index
