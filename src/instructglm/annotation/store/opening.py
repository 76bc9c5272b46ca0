"""Opening a store: made where there is none, migrated where it is older, refused where it is not ours."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.engine import URL

from instructglm.annotation.store.engines import WRITING, hidden, make_engine, store_url
from instructglm.annotation.store.refusals import told
from instructglm.annotation.store.store import Clock, Store
from instructglm.core.errors import StorageError
from instructglm.core.files import storage_errors

REVISION = "0004"
"""The step of `migrations/versions` that today's tables are at."""
REVISION_TABLE = "instructglm_revision"


def open_store(place: str | Path, *, create: bool = False, wait_s: float = 30.0, clock: Clock | None = None) -> Store:
    """Open the store at `place`: the path of an SQLite file, or the URL of a PostgreSQL database.

    Args:
        place: where it is.
        create: make it where there is none.
        wait_s: how long to wait for the writers of this process, and then for those of others.
        clock: what tells the time, instead of the database or this machine.

    Raises:
        StorageError: there is none, it belongs to another program or a newer version, or the database refuses.
    """
    url = store_url(place)
    _see_file(url, create)
    engine = make_engine(url, wait_s)
    try:
        with told(url):
            if _needs_migration(engine, create):
                _migrate(engine, create)
    except BaseException:
        engine.dispose()
        raise
    return Store(engine, clock, wait_s)


def _see_file(url: URL, create: bool) -> None:
    """Refuse a file that is missing, before SQLite makes an empty one, or that may not be written."""
    if url.get_backend_name() != "sqlite" or str(url.database).startswith("file:"):
        return
    file = Path(str(url.database))
    if not file.exists():
        if not create:
            raise StorageError(f"{file}: there is no store", hint="Make one: instructglm annotate init PROJECT")
        with storage_errors(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))  # its owner's alone, and so what SQLite puts beside
    elif not os.access(file, os.W_OK) or not os.access(file.parent, os.W_OK):
        hint = "Allow writing to the file and to its folder, where SQLite keeps its log."
        raise StorageError(f"{file}: may not be written", hint=hint)


def _needs_migration(engine: Engine, create: bool) -> bool:
    with engine.begin() as connection:
        return _revision(connection, create) != REVISION


def _revision(connection: Connection, create: bool) -> str | None:
    """The revision of the store; None where the database is empty."""
    where, tables = hidden(connection.engine.url), inspect(connection).get_table_names()
    if REVISION_TABLE in tables:
        found = connection.scalar(text(f"SELECT version_num FROM {REVISION_TABLE}"))
        _refuse_newer(where, str(found))
        return str(found)
    if tables:
        known = ", ".join(sorted(tables)[:3])
        raise StorageError(
            f"{where}: belongs to another program: it holds the tables {known}",
            hint="Choose an empty database or another file; nothing was changed in this one.",
        )
    if not create:
        raise StorageError(f"{where}: is empty", hint="Make a store in it: instructglm annotate init PROJECT")
    return None


def _refuse_newer(where: str, found: str) -> None:
    if found > REVISION:
        raise StorageError(
            f"{where}: was made by a newer version (revision {found}; this one knows {REVISION})",
            hint="Update instructglm: pip install --upgrade instructglm",
        )


def _migrate(engine: Engine, create: bool) -> None:
    """Make or migrate the tables, in the one writer's transaction: of two that open at once, one does it."""
    if engine.dialect.name == "sqlite":
        _write_ahead(engine)
    with engine.connect().execution_options(**{WRITING: True}) as connection, connection.begin():
        if _revision(connection, create) != REVISION:
            _upgrade(connection)


def _write_ahead(engine: Engine) -> None:
    """Let readers and the writer not wait for each other. The file remembers it.

    Raises:
        StorageError: SQLite can not, there.
    """
    raw = engine.raw_connection()
    try:
        driver = raw.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        (mode,) = driver.execute("PRAGMA journal_mode=WAL").fetchone()
    finally:
        raw.close()
    if mode != "wal":
        hint = "Choose a folder on a disk of this machine (not on a network), and no options in the URL."
        raise StorageError(f"{hidden(engine.url)}: SQLite keeps no write-ahead log there (found {mode})", hint=hint)


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
