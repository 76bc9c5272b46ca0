"""`annotate export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from instructglm.cli.annotate.places import HERE, Place, Project, find_project
from instructglm.cli.arguments import AsJson, print_json


def export_file(
    project: Project,
    format: Annotated[
        str, typer.Option(metavar="NAME", show_default=False, help="own, alpaca, csv, label_studio or argilla.")
    ],
    store: Place = HERE,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", show_default=False, help="Default: PROJECT-FORMAT.SUFFIX.")
    ] = None,
    names: Annotated[bool, typer.Option("--names", help="People by their names, not as annotator-3.")] = False,
    gold: Annotated[bool, typer.Option("--gold", help="With the items whose answer is known.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if there is one.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a project's instructions, outputs and judgements to a file; what that leaves out is told.

    Only own holds everything. What was withdrawn stays out.

    Example: instructglm annotate export law --format label_studio --out law.json
    """
    from instructglm.annotation.exchange import export
    from instructglm.annotation.store import open_store
    from instructglm.core.errors import StorageError
    from instructglm.core.files import write_parts

    with open_store(store) as opened:
        leaving = export(opened, find_project(opened, project).id, format, names=names, gold=gold)
        file = out or Path(f"{project.replace('/', '-')}-{format}{leaving.format.suffix}")
        if file.is_dir():
            raise StorageError(f"{file}: is a folder", hint="Name a file in it with --out.")
        if file.exists() and not overwrite:
            raise StorageError(f"{file}: is there already", hint="Choose another with --out, or say --overwrite.")
        write_parts(file, leaving)
    account = leaving.account
    if as_json:
        counts = {"num_instructions": account.num_instructions, "num_outputs": account.num_outputs}
        print_json({"file": str(file), **counts, "num_answers": account.num_answers, "left_out": +account.left_out})
        return
    held = f"{account.num_instructions} instructions, {account.num_outputs} outputs, {account.num_answers} answers"
    print(f"wrote {file}: {held}")
    for name, number in sorted((+account.left_out).items()):
        print(f"left out: {number} {name}", file=sys.stderr)
