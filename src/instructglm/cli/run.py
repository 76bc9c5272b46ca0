"""`run` and its stages one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from instructglm.cli.arguments import AsJson, ExperimentFile, Job, Out, Overrides, open_job, print_json
from instructglm.cli.results import show_report


def run(file: ExperimentFile, overrides: Overrides = None, out: Out = None, as_json: AsJson = False) -> None:
    """Run all stages: data, training, evaluation, comparison, report.

    Stages whose inputs have not changed are skipped; an interrupted training goes on from its last checkpoint.

    Example: instructglm run experiment.yaml training.learning_rate=1e-4
    """
    job = open_job(file, overrides, out)
    from instructglm import pipeline

    if _leads(job):
        show_report(pipeline.run(*job), as_json)


def train(file: ExperimentFile, overrides: Overrides = None, out: Out = None, as_json: AsJson = False) -> None:
    """Build the data where it is missing, then train.

    Example: instructglm train experiment.yaml --out runs/first
    """
    job = open_job(file, overrides, out)
    from instructglm import pipeline

    if _leads(job):
        _show("run", pipeline.train(*job), as_json)


def evaluate(file: ExperimentFile, overrides: Overrides = None, out: Out = None, as_json: AsJson = False) -> None:
    """Score the models on the test split.

    What is missing before it is done first.

    Example: instructglm evaluate experiment.yaml evaluation.models='[base, tuned]'
    """
    job = open_job(file, overrides, out)
    from instructglm import pipeline

    if _leads(job):
        _show("evaluation", pipeline.evaluate(*job), as_json)


def compare(file: ExperimentFile, overrides: Overrides = None, out: Out = None, as_json: AsJson = False) -> None:
    """Compare the scored models item by item.

    What is missing before it is done first.

    Example: instructglm compare experiment.yaml
    """
    job = open_job(file, overrides, out)
    from instructglm import pipeline

    if _leads(job):
        _show("comparisons", pipeline.compare(*job), as_json)


def report(file: ExperimentFile, overrides: Overrides = None, out: Out = None, as_json: AsJson = False) -> None:
    """Write the report from what stands.

    What is missing before it is done first.

    Example: instructglm report experiment.yaml
    """
    job = open_job(file, overrides, out)
    from instructglm import pipeline

    if _leads(job):
        show_report(pipeline.report(*job), as_json)


def _leads(job: Job) -> bool:
    """Whether the command is this machine's to do. Where another one leads, this one has now helped it to train."""
    from instructglm import pipeline

    leads = pipeline.is_first_node(job.experiment)
    if not leads:
        pipeline.help_train(*job)
    return leads


def _show(name: str, found: Path | Sequence[Path], as_json: bool) -> None:
    """Print where the results of a stage stand."""
    paths = [str(found)] if isinstance(found, Path) else [str(path) for path in found]
    if as_json:
        print_json({name: paths[0] if isinstance(found, Path) else paths})
    else:
        print(*paths, sep="\n")
