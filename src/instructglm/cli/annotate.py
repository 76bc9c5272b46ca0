"""`annotate`: a store of instructions that people annotate."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from instructglm.cli.arguments import AsJson, print_json
from instructglm.cli.tables import table

if TYPE_CHECKING:
    from instructglm.annotation.store import Store
    from instructglm.annotation.store.chain import Head
    from instructglm.annotation.store.projects import ProjectInfo
    from instructglm.core.records import Fault

app = typer.Typer(help="Collect instructions and what people say of them.", no_args_is_help=True, rich_markup_mode=None)

Project = Annotated[str, typer.Argument(metavar="PROJECT", show_default=False, help="The project's name.")]
Place = Annotated[
    str,
    typer.Option("--store", metavar="PLACE", help="Where the store is: a file, or postgresql://user@host/database."),
]
_HERE = "annotations.db"


@app.command()
def init(
    project: Project,
    store: Place = _HERE,
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


@app.command(name="import")
def import_files(
    project: Project,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", show_default=False, help="JSON, JSON lines, CSV, TSV or parquet.")
    ],
    store: Place = _HERE,
    leave_out_faulty: Annotated[
        bool, typer.Option("--leave-out-faulty", help="Import all but the records that are wrong.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import instructions with their outputs, in one go: all or, if a record is wrong, nothing.

    Fields: instruction and input, or messages; outputs; task, domain, complexity, language, source, licence, choices,
    extra; in CSV and TSV, lists and extra are spelled as JSON. What is there already is not doubled. Exit code 1 if
    records were left out.

    Example: instructglm annotate import law questions.jsonl
    """
    from instructglm.annotation.store import open_store
    from instructglm.annotation.store.importing import import_records

    with open_store(store) as opened:
        number = _find(opened, project).id
        faulty = "leave out" if leave_out_faulty else "refuse"
        done = import_records(opened, number, _records(files), faulty=faulty)  # type: ignore[arg-type]
    if as_json:
        print_json(done.model_dump(mode="json"))
    else:
        new = f"{done.num_instructions} new instructions, {done.num_outputs} new outputs"
        repeated = f", {done.num_repeated} repeated" if done.num_repeated else ""
        print(f"{new}, {done.num_known} known before{repeated}")
    for fault in () if as_json else done.differing:
        print(f"repeated, the first holds: {fault}", file=sys.stderr)
    for fault in () if as_json else done.faults:
        print(f"left out: {fault}", file=sys.stderr)
    if done.faults:
        raise typer.Exit(1)


def _records(files: list[Path]) -> Iterator[tuple[str, Any] | Fault]:
    from instructglm.data.rows import Row, read_rows

    for file in files:
        for row in read_rows(file, str(file)):
            yield (row.place, row.value) if isinstance(row, Row) else row


@app.command()
def status(store: Place = _HERE, as_json: AsJson = False) -> None:
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
        print_json({"projects": projects, "head": _spelled(end)})
        return
    for name, progress in projects.items():
        _show(name, progress)
    print(f"head of the log: {_spelled(end)}")


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


@app.command()
def verify(
    store: Place = _HERE,
    kept: Annotated[
        str | None, typer.Option("--head", metavar="NUMBER:HASH", help="The end of the log as it was noted down.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Go through the log, and name the first event that was changed behind its back.

    Exit code 1 if there is one.

    Example: instructglm annotate verify
    """
    from instructglm.annotation.store import open_store
    from instructglm.annotation.store.verify import verify as verify_log

    with open_store(store) as opened:
        found = verify_log(opened, _noted(kept))
    if as_json:
        print_json(found.model_dump(mode="json"))
    elif found.broken is None:
        print(f"{found.num_events} events with {found.num_rows} rows: every link holds")
    else:
        print(f"event {found.broken.event}: {found.broken.found}")
    if found.broken is not None:
        raise typer.Exit(1)


def _spelled(end: Head) -> str:
    return f"{end.number}:{end.hash}"


def _noted(kept: str | None) -> Head | None:
    from instructglm.annotation.store.chain import Head
    from instructglm.core.errors import DataError

    if kept is None:
        return None
    if (match := re.fullmatch(r"(\d+):([0-9a-f]{64})", kept.strip())) is None:
        raise DataError(f"--head: found {kept!r}; expected NUMBER:HASH", hint="`annotate status` prints it.")
    return Head(int(match[1]), match[2], 0)


def _find(store: Store, name: str) -> ProjectInfo:
    from instructglm.annotation.store.projects import list_projects
    from instructglm.core.lookup import lookup

    return lookup("project", name, {project.name: project for project in list_projects(store)})
