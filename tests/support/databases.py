"""Stores to test on: an SQLite file, and a database of a real PostgreSQL server that the tests start."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from instructglm.annotation.store import Store, open_store

OPTIONS = "-c fsync=off -c max_connections=200 -c listen_addresses=''"


def binaries() -> Path | None:
    """Where PostgreSQL's programs are; Debian keeps initdb off the path."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Path]:
    """The folder of the socket of a server of our own, in a short path: a socket's may have 107 characters."""
    programs = binaries()
    if programs is None:
        absent = pytest.fail if os.environ.get("CI") else pytest.skip
        absent("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    folder = Path(f"/tmp/instructglm-{uuid.uuid4().hex[:8]}")
    folder.mkdir(mode=0o700)
    user = "nobody" if os.geteuid() == 0 else None  # initdb refuses to work for root
    if user:
        shutil.chown(folder, user)

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, user=user, cwd=folder, timeout=60)

    data, log = str(folder / "data"), str(folder / "log")
    run("initdb", "-D", data, "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8")
    try:
        run("pg_ctl", "-D", data, "-l", log, "-w", "-o", f"{OPTIONS} -k {folder}", "start")
        yield folder
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store of this test's own can be made, on each database."""
    if request.param == "sqlite":
        return str(tmp_path / "annotations.db")
    return request.getfixturevalue("empty_postgres")()


@pytest.fixture
def empty_postgres(postgres_server: Path) -> Callable[[], str]:
    """Make an empty database and tell its URL."""
    import psycopg

    def make() -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(host=str(postgres_server), user="tests", dbname="postgres", autocommit=True) as server:
            server.execute(f"CREATE DATABASE {name}")
        return f"postgresql://tests@/{name}?host={postgres_server}"

    return make


class HandClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store(place: str, clock: HandClock) -> Iterator[Store]:
    with open_store(place, create=True, clock=clock) as opened:
        yield opened
