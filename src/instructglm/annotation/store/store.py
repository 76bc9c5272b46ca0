"""An open store: transactions that read, and transactions that write, one at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Self

from sqlalchemy import Connection, Engine, Select, func, select, text
from sqlalchemy.orm import InstrumentedAttribute

from instructglm.annotation.store.engines import WRITING, hidden
from instructglm.annotation.store.refusals import told
from instructglm.core.errors import StorageError

Clock = Callable[[], int]
"""Milliseconds since 1970, UTC."""


@dataclass(frozen=True)
class Write:
    """A transaction of the one writer, and the time at which it began."""

    connection: Connection
    now_ms: int

    def next_id(self, column: InstrumentedAttribute[int]) -> int:
        """The first free number of a table's id: nobody else can take it meanwhile."""
        return 1 + (self.connection.scalar(_highest(column)) or 0)


# What is asked with every move of an annotator is built once, here and elsewhere, with `bindparam` where it differs:
# building a statement, and SQLAlchemy's comparing it with those it has compiled, takes longer than SQLite's answer.
@cache
def _highest(column: InstrumentedAttribute[int]) -> Select[int]:
    return select(func.max(column))


class Store:
    """A database of annotations. Threads may share it; processes open their own.

    Made by `opening.open_store`.
    """

    def __init__(self, engine: Engine, clock: Clock | None = None, wait_s: float = 30.0) -> None:
        self._engine = engine
        self._clock = clock
        self._wait_s = wait_s
        # Threads wake at once when it is their turn here; SQLite's own waiting is by turns of sleep.
        self._turn = Lock() if engine.dialect.name == "sqlite" else None

    def __str__(self) -> str:
        return hidden(self._engine.url)

    @property
    def engine(self) -> Engine:
        return self._engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one moment of the store throughout, and writes nothing.

        Raises:
            StorageError: the database refuses.
        """
        with told(self._engine.url), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Write]:
        """A transaction of the one writer; when the block ends well, all of it is on the disk, else nothing is.

        Raises:
            StorageError: the database refuses; nothing was stored.
        """
        with told(self._engine.url), self._one_thread(), self._engine.connect() as connection:
            connection = connection.execution_options(**{WRITING: True})
            with connection.begin():
                yield Write(connection, self.now_ms(connection))

    @contextmanager
    def _one_thread(self) -> Iterator[None]:
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=self._wait_s):
            raise StorageError(f"{self}: others have been writing for too long", hint="Try again in a moment.")
        try:
            yield
        finally:
            self._turn.release()

    def now_ms(self, connection: Connection) -> int:
        """The time: the database server's where there is one, so that several of our servers share a clock."""
        if self._clock is not None:
            return self._clock()
        if self._engine.dialect.name == "postgresql":
            now = text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)")
            return int(connection.scalar(now))
        return time.time_ns() // 1_000_000

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
