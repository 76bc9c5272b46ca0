"""One experiment, from raw data to a report: the stages in their order.

Each stage reads finished folders and leaves one; where its folder stands
already, made from the same things, it is skipped and says so.
"""

from __future__ import annotations

from pathlib import Path

from instructglm.config.experiment import Experiment
from instructglm.core.progress import Progress
from instructglm.core.workspace import Workspace
from instructglm.data.preview import Preview
from instructglm.pipeline.data_stage import await_dataset, build_dataset, preview_examples
from instructglm.pipeline.job import Job, with_model_folders
from instructglm.report.estimate import Estimate, Probe


def run(experiment: Experiment, base: Path, out: Path, progress: Progress, command: str) -> Path:
    """All stages; the path of the report's page.

    Args:
        base: the folder of the experiment file; its data paths start there.
        out: the folder under which everything is left.
        command: what the user typed, for the report's "how to reproduce".

    Raises:
        InstructGLMError: any mistake that the user can mend.
    """
    return report(experiment, base, out, progress, command)


def build(experiment: Experiment, base: Path, out: Path, progress: Progress, command: str = "") -> Path:
    """The dataset folder."""
    return build_dataset(_job(experiment, base, out, progress, command))


def is_first_node(experiment: Experiment) -> bool:
    """Whether this machine does all stages; any other takes part in training alone, through `help_train`.

    Raises:
        ConfigError: nothing says which machine this is, or `torchrun` has started several of us.
    """
    from instructglm.training.distributed.fleet import node_rank_of, require_own_start

    require_own_start()
    return node_rank_of(experiment.training.distributed) == 0


def help_train(experiment: Experiment, base: Path, out: Path, progress: Progress, command: str = "") -> None:
    """The share of this machine in the training that the first one leads; both see the same `out`.

    Raises:
        RunError: the first machine does not build the dataset.
    """
    from instructglm.pipeline.training_stage import help_train_run

    job = _training_job(experiment, base, out, progress, command)
    help_train_run(job, await_dataset(job))


def train(experiment: Experiment, base: Path, out: Path, progress: Progress, command: str = "") -> Path:
    """The run folder, trained on the dataset, which is built first if need be."""
    from instructglm.pipeline.training_stage import train_run

    job = _training_job(experiment, base, out, progress, command)
    return train_run(job, build_dataset(job))


def evaluate(experiment: Experiment, base: Path, out: Path, progress: Progress, command: str = "") -> Path:
    """The folder of predictions and scores of all models on the test split."""
    from instructglm.pipeline.evaluation_stage import evaluate_run, require_evaluable
    from instructglm.pipeline.training_stage import train_run

    job = _training_job(experiment, base, out, progress, command)
    dataset = build_dataset(job)
    require_evaluable(job, dataset)
    return evaluate_run(job, dataset, train_run(job, dataset))


def compare(experiment: Experiment, base: Path, out: Path, progress: Progress, command: str = "") -> list[Path]:
    """One file for each pair of models, with their paired comparisons."""
    from instructglm.pipeline.report_stage import write_comparisons

    scores = evaluate(experiment, base, out, progress, command)
    return write_comparisons(Workspace(out), scores)


def report(experiment: Experiment, base: Path, out: Path, progress: Progress, command: str = "") -> Path:
    """The path of the report's page; every stage before it is done first if need be."""
    from instructglm.pipeline.evaluation_stage import evaluate_run, require_evaluable
    from instructglm.pipeline.report_stage import write_comparisons, write_whole_report
    from instructglm.pipeline.training_stage import train_run

    job = _training_job(experiment, base, out, progress, command)
    dataset = build_dataset(job)
    require_evaluable(job, dataset)
    trained = train_run(job, dataset)
    scores = evaluate_run(job, dataset, trained)
    write_comparisons(job.workspace, scores)
    return write_whole_report(job, dataset, trained, scores)


def estimate(
    experiment: Experiment, base: Path, out: Path, progress: Progress, command: str = "", *, with_probe: bool = False
) -> tuple[Estimate, Probe | None]:
    """What training will take: from the experiment alone, and, with a probe, from some real steps."""
    from instructglm.pipeline.estimation_stage import estimate_run

    return estimate_run(_job(experiment, base, out, progress, command), with_probe=with_probe)


def preview(experiment: Experiment, base: Path, out: Path, n: int = 3) -> list[Preview]:
    """The first training examples with exactly the trained tokens marked."""
    return preview_examples(experiment, base, out, n)


def _job(experiment: Experiment, base: Path, out: Path, progress: Progress, command: str) -> Job:
    base = base.resolve()
    return Job(with_model_folders(experiment, base), base, Workspace(out.resolve()), progress, command)


def _training_job(experiment: Experiment, base: Path, out: Path, progress: Progress, command: str) -> Job:
    """A job with a model that is to be trained: what it has no room to read is refused before anything is read."""
    from instructglm.pipeline.estimate_case import require_room

    job = _job(experiment, base, out, progress, command)
    require_room(job.experiment)
    return job
