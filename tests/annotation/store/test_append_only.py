"""What was written stays as it is, whichever program asks."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import UniqueConstraint, text

from instructglm.annotation.store import open_store
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.tables import APPENDED, LOGGED, Base, Role
from instructglm.annotation.store.verify import verify


def test_the_tables_of_content_are_the_events_and_what_the_log_vouches_for() -> None:
    assert {table.__tablename__ for table in LOGGED} | {"events"} == set(APPENDED)


@pytest.mark.parametrize("name", APPENDED)
def test_postgresql_refuses_every_change(empty_postgres, name: str) -> None:
    column = "kind" if name == "events" else "event"
    with open_store(empty_postgres(), create=True) as store:
        add_person(store, "Ann", Role.ADMIN)
        for change in (f"UPDATE {name} SET {column} = {column}", f"DELETE FROM {name}", f"TRUNCATE {name} CASCADE"):
            with pytest.raises(Exception, match="is append-only"), store.write() as write:
                write.connection.execute(text(change))
        assert verify(store).num_events == 1


def insertion(verb: str, name: str, row: dict[str, int]) -> str:
    return f"{verb} INTO {name} ({', '.join(row)}) VALUES ({', '.join(map(str, row.values()))})"


@pytest.fixture
def raw(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A store as any program sees it that can read SQLite, with a row in every table of content."""
    open_store(tmp_path / "annotations.db", create=True).close()
    connection = sqlite3.connect(tmp_path / "annotations.db")
    connection.execute("PRAGMA ignore_check_constraints = ON")
    for name in APPENDED:
        columns = Base.metadata.tables[name].columns
        connection.execute(insertion("INSERT", name, {column.name: 1 for column in columns}))
    connection.commit()
    yield connection
    connection.close()


@pytest.mark.parametrize("name", APPENDED)
def test_sqlite_refuses_to_change_delete_or_replace_a_row(raw: sqlite3.Connection, name: str) -> None:
    table = Base.metadata.tables[name]
    unique = [one for one in table.constraints if isinstance(one, UniqueConstraint)]
    keys = [set(table.primary_key.columns.keys()), *(set(one.columns.keys()) for one in unique)]
    rows = [{column.name: 1 if column.name in key else 2 for column in table.columns} for key in keys]
    column = "kind" if name == "events" else "event"
    before = raw.execute(f"SELECT * FROM {name}").fetchall()
    changes = [f"UPDATE {name} SET {column} = 2", f"DELETE FROM {name}"]
    for change in [*changes, *(insertion("INSERT OR REPLACE", name, row) for row in rows)]:
        with pytest.raises(sqlite3.IntegrityError, match=f"{name} is append-only"):
            raw.execute(change)
    assert raw.execute(f"SELECT * FROM {name}").fetchall() == before


def test_every_table_of_content_has_its_triggers(place: str) -> None:
    with open_store(place, create=True) as store, store.read() as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if connection.dialect.name == "postgresql":
            query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
        found = set(connection.scalars(text(query)))
    assert {f"{table}_no_{verb}" for table in APPENDED for verb in ("update", "delete")} <= found
