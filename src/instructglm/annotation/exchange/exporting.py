"""Writing a project out, in any of the formats, as a stream of bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import Connection, select

from instructglm.annotation.exchange.entries import Entry, GuidelineText
from instructglm.annotation.exchange.format import Account, Format, Leaving
from instructglm.annotation.exchange.formats import FORMATS
from instructglm.annotation.exchange.stored import Naming, entries
from instructglm.annotation.store.projects import read_project
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import Guideline, Person
from instructglm.core.lookup import lookup

PSEUDONYM = "annotator-"


class Export:
    """The bytes of an export, to be iterated over once; `account` is whole when the last one was taken.

    The whole is read in one transaction: it shows one moment of the store.
    """

    def __init__(self, store: Store, project: int, format: Format, names: bool, gold: bool) -> None:
        self.format = format
        self.account = Account()
        self._store, self._project, self._names, self._gold = store, project, names, gold

    def __iter__(self) -> Iterator[bytes]:
        with self._store.read() as connection:
            info = read_project(connection, self._project)
            naming = _naming(connection, self._names)
            left_out = self.account.left_out
            found = entries(connection, self._project, naming, gold=self._gold, left_out=left_out)
            guidelines = _guidelines(connection, self._project)
            yield from self.format.write(Leaving(info.name, guidelines, self._counted(found), self.account))

    def _counted(self, found: Iterable[Entry]) -> Iterator[Entry]:
        for entry in found:
            self.account.count(entry)
            yield entry


def export(store: Store, project: int, format: str, *, names: bool = False, gold: bool = False) -> Export:
    """A project as the bytes of a file, at little memory whatever its size.

    Args:
        store: where.
        project: whose.
        format: a name in `FORMATS`; `Export.format` tells the media type and the suffix.
        names: people by their names; else they are called `annotator-3`, by their ids.
        gold: with the items whose answer is known; else they are left out and counted.

    Raises:
        ConfigError: there is no format of this name.
        DataError: there is no such project (told when the bytes are read).
    """
    return Export(store, project, lookup("exchange format", format, FORMATS), names, gold)


def _naming(connection: Connection, names: bool) -> Naming:
    if not names:
        return lambda person: f"{PSEUDONYM}{person}"
    known: Mapping[int, str] = {row.id: row.name for row in connection.execute(select(Person.id, Person.name))}
    return known.__getitem__


def _guidelines(connection: Connection, project: int) -> tuple[GuidelineText, ...]:
    query = select(Guideline.version, Guideline.text).where(Guideline.project == project).order_by(Guideline.version)
    return tuple(GuidelineText(version=row.version, text=row.text) for row in connection.execute(query))
