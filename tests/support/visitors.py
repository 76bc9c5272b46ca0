"""People who visit the pages without a browser: they sign in, send forms and JSON as our pages do."""

from __future__ import annotations

import re
from itertools import count
from typing import Any

from starlette.testclient import TestClient

from instructglm.annotation.store import Store
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.tables import Role

PASSWORD = "a sentence of nobody else"
_NUMBERS = count(1)


class Visit:
    """One person in one browser."""

    def __init__(self, client: TestClient, person: int, name: str) -> None:
        self.client, self.person, self.name = client, person, name
        self.csrf = ""

    def get(self, path: str) -> Any:
        return self.client.get(path)

    def form(self, path: str, **fields: Any) -> Any:
        """Send a form of ours."""
        return self.client.post(path, data={"csrf": self.csrf, **fields})

    def send(self, path: str, body: Any, method: str = "POST") -> Any:
        """Send JSON as our scripts do."""
        return self.client.request(method, path, json=body, headers={"X-CSRF-Token": self.csrf})


def person_in(client: TestClient, store: Store, role: Role) -> Visit:
    """Make a person of this role and sign them in."""
    name = f"{role} {next(_NUMBERS)}"
    visit = Visit(client, add_person(store, name, role, PASSWORD), name)
    answer = client.post("/sign-in", data={"name": name, "password": PASSWORD})
    assert answer.status_code == 303, answer.text
    visit.csrf = csrf_in(client.get("/account").text)
    return visit


def csrf_in(page: str) -> str:
    """The token that a page carries."""
    found = re.search(r'<meta name="csrf" content="([0-9a-f]{64})">', page)
    assert found is not None, page
    return found[1]
