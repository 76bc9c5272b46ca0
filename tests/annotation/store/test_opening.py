"""Opening a store: made, migrated, or refused with the next move."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event, inspect, text

from instructglm.annotation.store import open_store
from instructglm.annotation.store import opening as module
from instructglm.annotation.store.engines import hidden, store_url
from instructglm.annotation.store.people import list_people
from instructglm.annotation.store.projects import add_guideline, create_project
from instructglm.annotation.store.tables import Base
from instructglm.annotation.store.verify import verify
from instructglm.core.errors import StorageError

MIGRATIONS = Path(module.__file__).parent / "migrations"


def migrate(place: str, revision: str) -> None:
    from alembic import command

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with create_engine(store_url(place)).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_the_tables_of_the_migrations_are_those_of_the_code(place: str) -> None:
    with open_store(place, create=True) as store, store.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": module.REVISION_TABLE})
        assert compare_metadata(context, Base.metadata) == []


def test_the_last_migration_is_the_one_that_is_asked_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == module.REVISION


def test_an_older_store_is_migrated_and_keeps_what_it_holds(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(place, "0001")
    with monkeypatch.context() as older:
        older.setattr(module, "REVISION", "0001")
        with open_store(place) as store:
            project = create_project(store, "law")
            add_guideline(store, project, "Be kind.")
    with open_store(place) as store:
        assert verify(store).broken is None
        with pytest.raises(Exception, match="guidelines is append-only"), store.write() as write:
            write.connection.execute(text("UPDATE guidelines SET text = 'Be rude.'"))


def test_a_newer_store_is_refused(place: str) -> None:
    with open_store(place, create=True) as store, store.write() as write:
        write.connection.execute(text(f"UPDATE {module.REVISION_TABLE} SET version_num = '9000'"))
    with pytest.raises(StorageError, match="made by a newer version") as refused:
        open_store(place)
    assert "pip install --upgrade" in refused.value.hint


def test_a_database_of_another_program_is_refused_and_left_as_it_is(place: str) -> None:
    engine = create_engine(store_url(place))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE tasks (id INTEGER)"))
    with pytest.raises(StorageError, match="belongs to another program: it holds the tables tasks"):
        open_store(place, create=True)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["tasks"]
        if engine.dialect.name == "sqlite":
            assert connection.scalar(text("PRAGMA journal_mode")) == "delete"


def test_a_missing_or_empty_store_is_not_made_by_accident(place: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"there is no store|is empty") as refused:
        open_store(place)
    assert "annotate init" in refused.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("Dear diary, " * 100)
    with pytest.raises(StorageError, match="is not an SQLite database"):
        open_store(file)
    assert file.read_text().startswith("Dear diary")


def test_a_file_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "annotations.db"
    with open_store(file, create=True) as store:
        create_project(store, "law")
    with (
        open_store(f"sqlite:///file:{file}?mode=ro&uri=true") as store,
        pytest.raises(StorageError, match="may not be written"),
    ):
        create_project(store, "medicine")
    if os.geteuid() != 0:  # nothing is forbidden to root
        file.chmod(0o444)
        with pytest.raises(StorageError, match="may not be written"):
            open_store(file)


def test_a_read_only_database_is_told(empty_postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    place = empty_postgres()
    open_store(place, create=True).close()
    monkeypatch.setenv("PGOPTIONS", "-c default_transaction_read_only=on")
    with open_store(place) as store, pytest.raises(StorageError, match="may not be written"):
        create_project(store, "law")


def test_a_writer_that_never_ends_is_told(place: str) -> None:
    with open_store(place, create=True) as one, open_store(place, wait_s=0.2) as other, one.write():
        with pytest.raises(StorageError, match="another program has been writing for too long") as refused:
            create_project(other, "law")
        assert "try again" in refused.value.hint


def test_threads_wait_no_longer_than_they_were_told_to(place: str) -> None:
    with open_store(place, create=True, wait_s=0.2) as store:
        with store.write(), pytest.raises(StorageError, match=r"writing for too long"):
            create_project(store, "law")
        assert create_project(store, "law") == 1


def test_a_full_disk_is_told_and_nothing_is_half_stored(tmp_path: Path) -> None:
    with open_store(tmp_path / "annotations.db", create=True) as store:
        project = create_project(store, "law")
        store.engine.dispose()
        event.listen(store.engine, "connect", lambda raw, _: raw.execute("PRAGMA max_page_count = 60"))
        with pytest.raises(StorageError, match="the disk is full"):
            add_guideline(store, project, "Be kind. " * 100_000)
        assert verify(store).broken is None


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "annotations.db"
    with open_store(file, create=True) as store:
        project = create_project(store, "law")
        for _ in range(20):
            add_guideline(store, project, "Be kind. " * 1000)
    content = bytearray(file.read_bytes())
    content[8192:-4096] = b"\xa5" * (len(content) - 4096 - 8192)
    file.write_bytes(content)
    with pytest.raises(StorageError, match="damaged"), open_store(file) as store:
        verify(store)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("mysql://root:hunter2@host/db", "a store cannot lie in mysql"),
        ("sqlite://", "a store in memory would be lost"),
        ("://", "not a database URL"),
    ],
)
def test_other_places_are_refused(place: str, message: str) -> None:
    with pytest.raises(StorageError, match=message) as refused:
        open_store(place)
    assert "hunter2" not in str(refused.value)


def test_a_server_that_is_not_there_is_told_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be opened") as refused:
        open_store(f"postgresql://ann:hunter2@/db?host={tmp_path}")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("name", ["password", "sslpassword"])
def test_a_password_in_the_options_of_a_url_is_not_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(StorageError, match="cannot be opened") as refused:
        open_store(f"postgresql://ann@/db?host={tmp_path}&{name}=hunter2")
    assert "hunter2" not in str(refused.value)
    assert str(tmp_path) in hidden(store_url(f"postgresql://ann@/db?host={tmp_path}&{name}=hunter2")).replace(
        "%2F", "/"
    )


def test_a_store_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with open_store(tmp_path / "annotations.db", create=True) as store:
            create_project(store, "law")
            files = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert files == dict.fromkeys(("annotations.db", "annotations.db-shm", "annotations.db-wal"), 0o600)


def test_a_file_that_another_program_holds_is_told_while_it_is_made(tmp_path: Path) -> None:
    file = tmp_path / "annotations.db"
    with sqlite3.connect(file) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="another program has been writing for too long"):
            open_store(file, create=True, wait_s=0.1)


def test_a_place_without_a_write_ahead_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="keeps no write-ahead log there"):
        open_store(f"sqlite:///file:{tmp_path}/annotations.db?nolock=1&uri=true", create=True)


def test_two_that_open_an_empty_place_at_once_make_one_store(place: str) -> None:
    code = (
        "import sys\nfrom instructglm.annotation.store import open_store\n"
        "from instructglm.annotation.store.people import add_person\n"
        "store = open_store(sys.argv[1], create=True)\nadd_person(store, sys.argv[2], 'annotator')"
    )
    names = ["Ann", "Bo", "Cy"]
    children = [subprocess.Popen([sys.executable, "-c", code, place, name]) for name in names]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    with open_store(place) as store:
        assert sorted(person.name for person in list_people(store)) == names
        assert verify(store).num_events == 3


def test_an_sqlite_store_survives_a_power_cut(tmp_path: Path) -> None:
    """That is: the settings which SQLite documents for it hold on every connection."""
    file = tmp_path / "annotations.db"
    with open_store(file, create=True) as store, store.write() as write:
        settings = {name: write.connection.scalar(text(f"PRAGMA {name}")) for name in ("synchronous", "foreign_keys")}
        assert settings == {"synchronous": 2, "foreign_keys": 1}
    with sqlite3.connect(file) as plain:
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("wal",)
