"""`config`: what may stand in an experiment file, and whether one is right."""

from __future__ import annotations

import typer

from instructglm.cli.arguments import AsJson, ExperimentFile, Overrides, print_json

app = typer.Typer(
    help="Check an experiment file, or print what may stand in one.", no_args_is_help=True, rich_markup_mode=None
)


@app.command()
def check(file: ExperimentFile, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Print the resolved experiment with all defaults, or all its faults (exit code 2).

    Example: instructglm config check experiment.yaml tuning.rank=16
    """
    from instructglm.config.loading import load_experiment, to_yaml

    experiment = load_experiment(file, overrides or ())
    if as_json:
        print_json(experiment.model_dump(mode="json"))
    else:
        print(to_yaml(experiment), end="")


@app.command()
def schema() -> None:
    """Print the JSON Schema of experiment files, for editors.

    Example: instructglm config schema > experiment.schema.json
    """
    from instructglm.config.experiment import Experiment

    print_json({"$schema": "https://json-schema.org/draft/2020-12/schema", **Experiment.model_json_schema()})
