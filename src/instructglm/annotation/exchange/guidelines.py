"""Which versions of a project's guideline the answers of a file mean."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from sqlalchemy import select

from instructglm.annotation.store.chain import Change
from instructglm.annotation.store.store import Write
from instructglm.annotation.store.tables import Guideline


class Guidelines:
    """The versions in the store of guidelines that a file names: those of the same text.

    A project that has none gets the file's, under their own numbers.
    """

    def __init__(self, write: Write, project: int, change: Change) -> None:
        query = select(Guideline.version, Guideline.text).where(Guideline.project == project)
        self._versions = {row.text: row.version for row in write.connection.execute(query.order_by(Guideline.version))}
        self._takes_new = not self._versions
        self._ids, self._project, self._change = count(write.next_id(Guideline.id)), project, change
        self._unknown = 0

    def version(self, number: int | None, of_file: dict[int, str]) -> int | None:
        self._add_all(of_file)
        if number is None:
            return None
        found = self._versions.get(of_file.get(number, ""))
        self._unknown += found is None
        return found

    def _add_all(self, of_file: dict[int, str]) -> None:
        for version, text in sorted(of_file.items()) if self._takes_new else ():
            if text not in self._versions and version not in self._versions.values():
                self._versions[text] = version
                held = {"project": self._project, "version": version, "text": text}
                self._change.add(Guideline, id=next(self._ids), **held)

    def notes(self) -> Iterator[str]:
        if self._unknown:
            yield f"{self._unknown} answers name a guideline that the project has not: stored without it"
