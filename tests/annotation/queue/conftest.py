from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from annotation_team import Team, items

from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.store import Store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, create_project
from instructglm.annotation.store.tables import Role


@pytest.fixture
def team(store: Store) -> Callable[..., Team]:
    def make(num_items: int, num_people: int, *, settings: Settings | None = None, **shape: Any) -> Team:
        settings = settings or Settings(gold_share=0)
        project = create_project(store, f"project of {num_items}", settings)
        import_records(store, project, items(num_items, **shape))
        people = [add_person(store, f"Person {number}", Role.ANNOTATOR) for number in range(num_people)]
        open_round(store, project)
        return Team(store, project, people)

    return make
