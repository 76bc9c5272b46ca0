"""`data`: check files, build a dataset, and look at it before anything is trained."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from instructglm.cli.arguments import AsJson, ExperimentFile, Out, Overrides, open_job, print_json
from instructglm.cli.checks import check_paths, exit_code, show_checks
from instructglm.cli.tables import table

app = typer.Typer(help="Check, build and look at data.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def check(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH", show_default=False, help="Data files, globs, or an experiment file."),
    ],
    format: Annotated[
        str, typer.Option("--format", help="How rows are laid out: alpaca, sharegpt, table, ...")
    ] = "auto",
    as_json: AsJson = False,
) -> None:
    """Read every row and name every fault with file, line and field.

    Exit code 1 if rows are wrong, 2 if a file cannot be read at all.

    Example: instructglm data check raw/*.jsonl --format alpaca
    """
    result = check_paths(paths, format)
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        show_checks(result)
    raise typer.Exit(exit_code(result))


@app.command()
def build(file: ExperimentFile, overrides: Overrides = None, out: Out = None, as_json: AsJson = False) -> None:
    """Read, check, transform and split the data of an experiment.

    Example: instructglm data build experiment.yaml
    """
    job = open_job(file, overrides, out)
    from instructglm import pipeline

    folder = pipeline.build(*job)
    if as_json:
        print_json({"dataset": str(folder)})
    else:
        print(folder)


@app.command()
def stats(file: ExperimentFile, overrides: Overrides = None, out: Out = None, as_json: AsJson = False) -> None:
    """Count examples and outputs a split, and every row that was left out; builds the data where it is missing.

    Example: instructglm data stats experiment.yaml --json
    """
    job = open_job(file, overrides, out)
    from instructglm import pipeline
    from instructglm.data.dataset import read_manifest

    manifest = read_manifest(pipeline.build(*job))
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    print(
        table(
            ["split", "examples", "outputs"],
            [[s, n, manifest.num_outputs[s]] for s, n in manifest.num_examples.items()],
        )
    )
    if manifest.ledger_counts:
        print("\n" + table(["left out or cut", "rows"], list(manifest.ledger_counts.items())))


@app.command()
def preview(
    file: ExperimentFile,
    overrides: Overrides = None,
    out: Out = None,
    number: Annotated[int, typer.Option("-n", min=1, help="How many examples.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Show training examples as the model sees them, with exactly the trained tokens marked.

    Exit code 1 if no token of an example is trained, or its stop token is not.

    Example: instructglm data preview experiment.yaml -n 5
    """
    job = open_job(file, overrides, out)
    from instructglm import pipeline
    from instructglm.cli.previews import problems, show_preview

    previews = pipeline.preview(job.experiment, job.base, job.out, number)
    found = [problem for one in previews for problem in problems(one)]
    if as_json:
        print_json([one.model_dump(mode="json") for one in previews])
    else:
        for one in previews:
            show_preview(one, colour=sys.stdout.isatty())
    for problem in found:
        print(problem, file=sys.stderr)
    if found:
        raise typer.Exit(1)
