"""Pages over a store of the test's own, and people who visit them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from databases import HandClock
from starlette.testclient import TestClient
from visitors import Visit, person_in

from instructglm.annotation.store import Store, open_store
from instructglm.annotation.store.projects import create_project
from instructglm.annotation.store.tables import Role
from instructglm.studio import create_app

Enter = Callable[[str], Visit]


@pytest.fixture
def local_store(tmp_path: Path, clock: HandClock) -> Iterator[Store]:
    """A store in an SQLite file: what the pages show does not depend on the database."""
    with open_store(tmp_path / "annotations.db", create=True, clock=clock) as opened:
        yield opened


@pytest.fixture
def pages(local_store: Store) -> Iterator[TestClient]:
    """A browser's view of the pages, with nobody signed in."""
    with TestClient(create_app(local_store), base_url="http://localhost", follow_redirects=False) as client:
        yield client


@pytest.fixture
def visit(local_store: Store) -> Iterator[Callable[[Role], Visit]]:
    """Somebody of a role, signed in, each with a browser of their own."""
    opened: list[TestClient] = []

    def enter(role: Role) -> Visit:
        client = TestClient(create_app(local_store), base_url="http://localhost", follow_redirects=False)
        opened.append(client)
        return person_in(client, local_store, role)

    yield enter
    for client in opened:
        client.close()


@pytest.fixture
def project(local_store: Store) -> int:
    """A project without instructions."""
    return create_project(local_store, "law")
