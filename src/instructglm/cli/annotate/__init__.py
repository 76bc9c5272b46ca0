"""`annotate`: a store of instructions that people annotate. One file a group of commands, one line each here."""

from __future__ import annotations

import typer

from instructglm.cli.annotate.exporting import export_file
from instructglm.cli.annotate.importing import import_files
from instructglm.cli.annotate.log import verify
from instructglm.cli.annotate.projects import init, status
from instructglm.cli.annotate.serving import serve

app = typer.Typer(help="Collect instructions and what people say of them.", no_args_is_help=True, rich_markup_mode=None)

app.command()(init)
app.command(name="import")(import_files)
app.command(name="export")(export_file)
app.command()(status)
app.command()(serve)
app.command()(verify)
