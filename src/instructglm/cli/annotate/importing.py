"""`annotate import`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from instructglm.cli.annotate.places import HERE, Place, Project, find_project
from instructglm.cli.arguments import AsJson, print_json

if TYPE_CHECKING:
    from instructglm.core.records import Fault


def import_files(
    project: Project,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", show_default=False, help="JSON, JSON lines, CSV, TSV or parquet.")
    ],
    store: Place = HERE,
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
        number = find_project(opened, project).id
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
