"""The databases that can hold a store, each with what makes it safe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from instructglm.core.errors import StorageError

WRITING = "instructglm_writing"  # execution option: this transaction will write
_WRITER = 0x494E5354474C4D  # names the lock of PostgreSQL that the one writer holds
_SILENT_MS = 300_000  # a writer whose machine has vanished must not hold the lock for ever
_MANY = 40  # connections of one process: as many requests as a server works on at once


def store_url(place: str | Path) -> URL:
    """The database that `place` names: a URL, or the path of an SQLite file.

    Raises:
        StorageError: it is neither.
    """
    if isinstance(place, Path) or "://" not in place:
        return URL.create("sqlite", database=str(Path(place).expanduser().absolute()))
    try:
        url = make_url(place)
    except (ArgumentError, ValueError) as error:
        raise StorageError("not a database URL", hint=_HINT) from error
    backend = "postgresql" if url.get_backend_name() == "postgres" else url.get_backend_name()
    if backend not in ENGINES:
        raise StorageError(f"{hidden(url)}: a store cannot lie in {backend}", hint=_HINT)
    if backend == "sqlite" and url.database in (None, "", ":memory:"):
        raise StorageError(f"{hidden(url)}: a store in memory would be lost", hint=_HINT)
    return url.set(drivername="postgresql+psycopg") if backend == "postgresql" else url


def hidden(url: URL) -> str:
    """The URL as it may be shown: without its passwords, an SQLite file by its path."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    secrets = [name for name in url.query if "pass" in name.lower()]  # password, sslpassword, passfile
    return url.difference_update_query(secrets).render_as_string(hide_password=True)


def make_engine(url: URL, wait_s: float) -> Engine:
    """An engine of `url` that waits at most `wait_s` seconds for other writers.

    Raises:
        StorageError: the database's driver is not installed.
    """
    try:
        return ENGINES[url.get_backend_name()](url, wait_s)
    except ModuleNotFoundError as error:
        hint = "Run: pip install 'instructglm[annotate,postgres]'"
        raise StorageError(f"{hidden(url)}: needs {error.name}, which is not installed", hint=hint) from error


def _sqlite(url: URL, wait_s: float) -> Engine:
    """Durable at every commit (`synchronous=FULL`); a transaction that will write says so when it begins.

    Without that (`BEGIN IMMEDIATE`) two readers that both turn writers would fail
    at once instead of waiting for each other.
    """
    engine = create_engine(url, pool_size=_MANY, max_overflow=_MANY, connect_args={"timeout": wait_s})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # or the driver would begin transactions by itself
        for setting in ("foreign_keys=ON", "synchronous=FULL", "recursive_triggers=ON", "cache_size=-65536"):
            connection.execute(f"PRAGMA {setting}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITING)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: URL, wait_s: float) -> Engine:
    """One writer at a time here too, by an advisory lock; readers see one moment throughout."""
    engine = create_engine(url, pool_size=_MANY, max_overflow=0, pool_pre_ping=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(WRITING):
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(wait_s * 1000)}")
            connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = {_SILENT_MS}")
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITER})
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

    return engine


ENGINES: Mapping[str, Callable[[URL, float], Engine]] = {"sqlite": _sqlite, "postgresql": _postgresql}
_HINT = "Name a file (annotations.db) or a database (postgresql://user@host/name)."
