from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from frozen_projects import Annotated

from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.store import Store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, create_project
from instructglm.annotation.store.tables import Role


@pytest.fixture
def project(store: Store) -> Callable[..., Annotated]:
    """Makes a project of records with people and an open round."""

    def make(records: Sequence[dict[str, Any]], num_people: int = 3, **settings: Any) -> Annotated:
        given = Settings(**{"gold_share": 0, "annotators_per_item": max(num_people, 1), **settings})
        number = create_project(store, "law", given)
        import_records(store, number, [(f"a:{place}", one) for place, one in enumerate(records, start=1)])
        people = [add_person(store, f"Person {one}", Role.ANNOTATOR) for one in range(num_people)]
        open_round(store, number)
        return Annotated(store, number, people)

    return make
