"""`annotate init` and `annotate status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from instructglm.cli.annotate.places import HERE, Place, Project
from instructglm.cli.arguments import AsJson, print_json
from instructglm.cli.tables import table

if TYPE_CHECKING:
    from instructglm.annotation.store import Store
    from instructglm.annotation.store.projects import ProjectInfo


def init(
    project: Project,
    store: Place = HERE,
    annotators: Annotated[int, typer.Option(min=1, help="How many people annotate each item.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Make a project, and the store where there is none.

    Example: instructglm annotate init law --annotators 3
    """
    from instructglm.annotation.store import open_store
    from instructglm.annotation.store.projects import Settings, create_project

    with open_store(store, create=True) as opened:
        number = create_project(opened, project, Settings(annotators_per_item=annotators))
        if as_json:
            print_json({"store": str(opened), "project": project, "id": number})
            return
        print(f"made the project {project} in {opened}")
    print(f"\nNext: instructglm annotate import {project} FILE.jsonl")


def status(store: Place = HERE, as_json: AsJson = False) -> None:
    """Show how far each round and each person has come, and the end of the log.

    Note the end of the log down elsewhere: `verify --head` then finds what was cut off.

    Example: instructglm annotate status --json
    """
    from instructglm.annotation.store import open_store
    from instructglm.annotation.store.chain import head
    from instructglm.annotation.store.projects import list_projects

    with open_store(store) as opened:
        projects = {project.name: _progress(opened, project) for project in list_projects(opened)}
        with opened.read() as connection:
            end = head(connection)
    if as_json:
        print_json({"projects": projects, "head": end.spelled()})
        return
    for name, progress in projects.items():
        _show(name, progress)
    print(f"head of the log: {end.spelled()}")


def _progress(store: Store, project: ProjectInfo) -> dict[str, Any]:
    from instructglm.annotation.queue.gold import gold_scores
    from instructglm.annotation.queue.progress import people_progress, round_progress

    return {
        "rounds": [one.model_dump(mode="json") for one in round_progress(store, project.id)],
        "people": [one.model_dump(mode="json") for one in people_progress(store, project.id)],
        "gold": [one.model_dump(mode="json") for one in gold_scores(store, project.id)],
    }


def _show(name: str, progress: dict[str, Any]) -> None:
    print(f"project {name}")
    rounds = [_cells(one, *one) for one in progress["rounds"]]
    header = ["round", "open", "items", "places", "done", "in hands", "waiting"]
    print(table(header, rounds) + "\n" if rounds else "no round yet\n")
    columns = ("round", "name", "num_done", "num_skipped", "num_leased", "num_drafts", "median_s")
    if people := [_cells(one, *columns) for one in progress["people"]]:
        print(table(["round", "person", "done", "skipped", "in hands", "drafts", "median s"], people) + "\n")
    if scores := [_score(one) for one in progress["gold"]]:
        print(table(["gold items", "right", "95 % interval"], scores) + "\n")


def _cells(record: dict[str, Any], *columns: str) -> list[object]:
    words = {True: "yes", False: "no", None: ""}
    cells = (record[column] for column in columns)
    return [words[cell] if cell is None or isinstance(cell, bool) else cell for cell in cells]


def _score(score: dict[str, Any]) -> list[object]:
    return [score["name"], f"{score['hits']} of {score['n']}", f"{score['low']:.0%} to {score['high']:.0%}"]
