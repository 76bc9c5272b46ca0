"""Who the people of a file are in the store."""

from __future__ import annotations

import re

from sqlalchemy import select

from instructglm.annotation.exchange.exporting import PSEUDONYM
from instructglm.annotation.store.people import new_person
from instructglm.annotation.store.store import Write
from instructglm.annotation.store.tables import Event, Person, Role

IMPORTED = "answers imported"
"""The kind of the events that tell who was made by an import."""
_NAMELESS = "unknown annotator"
_PSEUDONYM = re.compile(re.escape(PSEUDONYM) + r"([1-9]\d{0,17})")


class People:
    """The people of a file, by the names they have there.

    Whoever an import made is found again by later imports into the same project.
    Somebody who was here before is never given a judgement from a file: who has
    their name there is made anew, as `Ann (imported)`.
    """

    def __init__(self, write: Write, project: int, by: int | None) -> None:
        self.made: dict[str, str] = {}
        """Names in the file and in the store of those who were made."""
        self._write, self._by = write, by
        self._ids = {row.name: row.id for row in write.connection.execute(select(Person.name, Person.id))}
        self._imported: dict[str, int] = {}
        events = select(Event.body).where(Event.project == project, Event.kind == IMPORTED).order_by(Event.number)
        for body in write.connection.scalars(events):
            self._imported |= body.get("people", {})
        self._all = dict(self._imported)
        self.natives: dict[str, int] = {}
        """Names of people who were here before, where the file is known to tell of this store."""

    def namesakes(self, name: str) -> list[int]:
        """The ids of those in the store who may be meant by a name: who has it, or is hidden behind it."""
        hidden = _PSEUDONYM.fullmatch(name)
        ids = {self._ids.get(name), int(hidden[1]) if hidden else None} & set(self._ids.values())
        return sorted(one for one in ids if one is not None)

    def known(self, name: str) -> set[int]:
        """The ids under which things of this name may stand in the store already."""
        found = (self._all.get(name), self.natives.get(name))
        return {one for one in found if one is not None}

    def id_of(self, name: str) -> int:
        """The id of somebody of the file, who is made where they are not known from an earlier import."""
        if name not in self._all:
            wanted = self._free_name(name.strip() or _NAMELESS)
            self._all[name] = self._ids[wanted] = new_person(self._write, wanted, Role.ANNOTATOR, None, self._by)
            self.made[name] = wanted
        return self._all[name]

    def new_ids(self) -> dict[str, int]:
        """Those who were made, for the log: name in the file to id."""
        return {name: self._all[name] for name in self.made}

    def _free_name(self, name: str) -> str:
        wanted, number = name, 1
        while wanted in self._ids:
            wanted = f"{name} (imported)" if number == 1 else f"{name} (imported {number})"
            number += 1
        return wanted
