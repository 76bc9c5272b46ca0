"""Whatever is sent to whatever route, by whoever: it is answered, and never with an error of ours.

The values are Schemathesis', made from what the routes say they take.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from starlette.testclient import TestClient
from visitors import Visit, person_in

from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.claim import next_task
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.queue.save import save
from instructglm.annotation.queue.tasks import Task
from instructglm.annotation.store import Store, open_store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.projects import create_project
from instructglm.annotation.store.tables import Role
from instructglm.studio import create_app
from instructglm.studio.attempts import Attempts
from instructglm.studio.routes import ROUTERS

EXAMPLES = 30
RECORDS = [
    {"instruction": f"Is this lawful? {number}", "domain": "law", "choices": ["yes", "no"], "outputs": ["Yes.", "No."]}
    for number in range(5)
]


def _schema() -> dict:
    app = FastAPI(title="InstructGLM", version="0")
    for router in ROUTERS:
        app.include_router(router)
    return app.openapi()


OPERATIONS = [found.ok() for found in schemathesis.openapi.from_dict(_schema()).get_all_operations()]


class Visitors:
    """One person of each role; another one where the last was signed out or removed by what was sent."""

    def __init__(self, store: Store) -> None:
        self._store, self._app = store, create_app(store)
        self._visits: dict[Role, Visit] = {}

    def of(self, role: Role) -> Visit:
        visit = self._visits.get(role)
        if visit is None or visit.get("/account").status_code != 200:
            client = TestClient(self._app, base_url="http://localhost", follow_redirects=False)
            self._app.state.attempts = Attempts()
            visit = self._visits[role] = person_in(client, self._store, role)
        return visit


@pytest.fixture(scope="module")
def visitors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitors]:
    """People over a store with work in it."""
    with open_store(tmp_path_factory.mktemp("fuzz") / "annotations.db", create=True) as store:
        visitors, project = Visitors(store), create_project(store, "law")
        import_records(store, project, [(f"row {number}", record) for number, record in enumerate(RECORDS)])
        open_round(store, project)
        for role in Role:
            task = next_task(store, project, visitors.of(role).person)
            assert isinstance(task, Task)
            save(store, visitors.of(role).person, task.assignment, Answer(written=("It is not.",)), key="first")
        yield visitors


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_nothing_that_is_sent_is_an_error_of_ours(operation, mode, visitors):
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=HealthCheck)
    @given(data=st.data(), role=st.sampled_from(Role))
    def ask(data: st.DataObject, role: Role) -> None:
        visit = visitors.of(role)
        sent = data.draw(operation.as_strategy(generation_mode=mode)).as_transport_kwargs(base_url="http://localhost")
        sent["headers"] = {**sent.get("headers", {}), "X-CSRF-Token": visit.csrf}
        sent.pop("cookies", None)
        answer = visit.client.request(**sent)
        assert answer.status_code < 500, answer.text

    try:
        ask()
    except Unsatisfiable:
        assert mode == GenerationMode.NEGATIVE, "a route that nothing fits"
        pytest.skip("it takes nothing that could be wrong")
