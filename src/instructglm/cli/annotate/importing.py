"""`annotate import`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from instructglm.cli.annotate.places import HERE, Place, Project, find_project
from instructglm.cli.arguments import AsJson, print_json

if TYPE_CHECKING:
    from instructglm.annotation.exchange import Taken

_MOST_TOLD = 20  # lines of one kind


def import_files(
    project: Project,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", show_default=False, help="JSON, JSON lines, CSV, TSV or parquet.")
    ],
    store: Place = HERE,
    format: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            show_default=False,
            help="own, alpaca, csv, label_studio or argilla. Default: what each file looks like.",
        ),
    ] = None,
    leave_out_faulty: Annotated[
        bool, typer.Option("--leave-out-faulty", help="Import all but the records that are wrong.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import instructions, outputs and judgements, in one go: all or, if a record is wrong, nothing.

    Fields: instruction and input, or messages; outputs; task, domain, complexity, language, source, licence, choices,
    extra; in CSV and TSV, lists and extra are spelled as JSON. Or a file of Label Studio or Argilla, or what annotate
    export wrote: their annotators become people who cannot sign in, what they said stands in closed rounds of its own.
    What is there already is not doubled. Exit code 1 if records were left out.

    Example: instructglm annotate import law questions.jsonl
    """
    from instructglm.annotation.store import open_store
    from instructglm.data.annotation_files import import_files as take

    with open_store(store) as opened:
        number = find_project(opened, project).id
        faulty = "leave out" if leave_out_faulty else "refuse"
        done = take(opened, number, files, format=format, faulty=faulty)  # type: ignore[arg-type]
    if as_json:
        print_json(done.model_dump(mode="json"))
    else:
        _show(done)
        if format is None:
            _tell("looks like", (f"{name}: {found}" for name, found in done.formats.items()))
    if done.faults:
        raise typer.Exit(1)


def _show(done: Taken) -> None:
    new = f"{done.num_instructions} new instructions, {done.num_outputs} new outputs"
    repeated = f", {done.num_repeated} repeated" if done.num_repeated else ""
    print(f"{new}, {done.num_known} known before{repeated}")
    if done.num_answers or done.num_known_answers:
        rounds = f" in the closed rounds {', '.join(map(str, done.rounds))}" if done.rounds else ""
        print(f"{done.num_answers} new answers of people{rounds}, {done.num_known_answers} known before")
    _tell("repeated, the first holds", done.differing)
    _tell("left out", done.faults)
    _tell("no place for", done.leftovers)
    _tell("made the annotator", (f"{stored}, named {name!r} in the file" for name, stored in done.people.items()))
    _tell("note", done.notes)


def _tell(what: str, lines: Iterable[object]) -> None:
    """Lines for the eye; there may be a hundred thousand, which --json has all."""
    held = list(lines)
    for line in held[:_MOST_TOLD]:
        print(f"{what}: {line}", file=sys.stderr)
    if len(held) > _MOST_TOLD:
        print(f"{what}: and {len(held) - _MOST_TOLD} more (--json lists all)", file=sys.stderr)
