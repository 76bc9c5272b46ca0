"""`estimate`: what training will take, told before it is run."""

from __future__ import annotations

from typing import Annotated

import typer

from instructglm.cli.arguments import AsJson, ExperimentFile, Out, Overrides, open_job, print_json
from instructglm.cli.estimates import as_json as to_json
from instructglm.cli.estimates import show_estimate

WithProbe = Annotated[
    bool, typer.Option("--probe", help="Run some real steps: tokens per second, peak memory, largest batch, time.")
]
Price = Annotated[
    float | None,
    typer.Option(
        "--price-per-hour", min=0, metavar="PRICE", show_default=False, help="With --probe: what the run will cost."
    ),
]


def estimate(
    file: ExperimentFile,
    overrides: Overrides = None,
    out: Out = None,
    probe: WithProbe = False,
    price_per_hour: Price = None,
    as_json: AsJson = False,
) -> None:
    """Tell what training will take: parameters, memory by part, tokens and steps; with --probe also the time.

    No weights are read without --probe, which throws away what it trains. The data are built where they are missing.

    Example: instructglm estimate experiment.yaml --probe --price-per-hour 2.5
    """
    job = open_job(file, overrides, out)
    from instructglm import pipeline

    told, probed = pipeline.estimate(*job, with_probe=probe)
    if as_json:
        print_json(to_json(told, probed, price_per_hour))
    else:
        show_estimate(told, probed, price_per_hour)
