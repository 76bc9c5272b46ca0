"""The log: what is changed behind its back is found, and named."""

import hashlib
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from instructglm.annotation.store import open_store
from instructglm.annotation.store.chain import START, Change, event_hash, head, record, rows_hash
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import add_guideline, create_project
from instructglm.annotation.store.tables import Guideline, Role
from instructglm.annotation.store.verify import verify

RECORD = {"instruction": "Say hello.", "outputs": ["Hello.", "你好"], "domain": "talk"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Six events: a project, a person, two guidelines, an import, a guideline."""
    path = tmp_path / "annotations.db"
    with open_store(path, create=True) as store:
        project = create_project(store, "talk")
        add_person(store, "Ann", Role.ADMIN)
        for version in range(2):
            add_guideline(store, project, f"Version {version}")
        import_records(store, project, [("a:1", RECORD)])
        add_guideline(store, project, "Last")
    return path


def tamper(file: Path, *statements: str) -> None:
    """As somebody would who has the file: the triggers go first."""
    with sqlite3.connect(file) as raw:
        triggers = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            raw.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            raw.execute(statement)
        for _, made in triggers:
            raw.execute(made)


def broken(file: Path, kept=None) -> tuple[int, str] | None:
    with open_store(file) as store:
        found = verify(store, kept).broken
    return None if found is None else (found.event, found.found)


def test_an_untouched_log_holds(file: Path) -> None:
    with open_store(file) as store:
        found = verify(store)
        assert (found.num_events, found.num_rows, found.broken) == (6, 6, None)
        with store.read() as connection:
            assert head(connection).hash == found.head


CHANGED_ROW = "what it stored was changed, or rows were put in or taken out"


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE outputs SET text = 'Goodbye.' WHERE id = 1", (5, CHANGED_ROW)),
        ("DELETE FROM outputs WHERE id = 2", (5, CHANGED_ROW)),
        (
            "INSERT INTO guidelines (id, event, project, version, text) VALUES (9, 3, 1, 9, 'x')",
            (3, CHANGED_ROW),
        ),
        ("UPDATE guidelines SET event = 4 WHERE id = 1", (3, CHANGED_ROW)),
        ("UPDATE events SET person = 7 WHERE number = 4", (4, "the event itself was changed")),
        ("UPDATE events SET at_ms = at_ms - 1 WHERE number = 2", (2, "the event itself was changed")),
        ("DELETE FROM events WHERE number = 2", (3, "events 2 to 2 are missing")),
        ("DELETE FROM events WHERE number = 6", (6, "there are rows of an event that is not in the log")),
    ],
)
def test_a_change_behind_the_logs_back_is_found_and_named(file: Path, statement: str, found: tuple[int, str]) -> None:
    tamper(file, statement)
    assert broken(file) == found


def test_a_change_that_hashes_its_own_event_anew_breaks_the_next(file: Path) -> None:
    with sqlite3.connect(file) as raw:
        raw.row_factory = sqlite3.Row
        row = dict(raw.execute("SELECT * FROM guidelines WHERE id = 1").fetchone()) | {"text": "Forged"}
        event = dict(raw.execute("SELECT * FROM events WHERE number = 3").fetchone())
    event |= {"rows": rows_hash([(Guideline, row)]), "body": {"version": 1}}
    tamper(
        file,
        "UPDATE guidelines SET text = 'Forged' WHERE id = 1",
        f"UPDATE events SET rows = '{event['rows']}', hash = '{event_hash(event)}' WHERE number = 3",
    )
    assert broken(file) == (4, "it does not follow the event before it")


def test_events_cut_off_at_the_end_are_missed_by_a_head_that_was_noted_down(file: Path) -> None:
    with open_store(file) as store, store.read() as connection:
        kept = head(connection)
    assert broken(file, kept) is None
    tamper(file, "DELETE FROM guidelines WHERE event = 6", "DELETE FROM events WHERE number = 6")
    assert broken(file) is None
    assert broken(file, kept) == (6, "events up to 6 were noted down and are missing")
    assert broken(file, kept._replace(number=5)) == (5, "it is not the one that was noted down")


def test_the_hash_of_an_event_is_that_of_its_canonical_json() -> None:
    event = {"number": 1, "body": {"b": 1, "a": "你"}, "previous": START, "hash": "ignored"}
    spelled = '{"body":{"a":"你","b":1},"number":1,"previous":"' + START + '"}'
    assert event_hash(event) == hashlib.sha256(spelled.encode()).hexdigest()


def test_the_time_of_events_never_goes_back(store, clock) -> None:
    for step in (0, 5, -3600, 10):
        clock.advance(step)
        create_project(store, f"project {step}")
    with store.read() as connection:
        times = connection.scalars(text("SELECT at_ms FROM events ORDER BY number")).all()
    assert times == sorted(times)
    assert verify(store).broken is None


def test_a_transaction_that_fails_leaves_no_event(store) -> None:
    create_project(store, "one")
    before = verify(store)

    def stop_half_way() -> None:
        with store.write() as write:
            record(write, Change("half done"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stop_half_way()
    assert verify(store) == before
