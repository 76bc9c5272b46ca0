"""run + test split -> predictions of every model, and their scores."""

from __future__ import annotations

from pathlib import Path

from instructglm.config.evaluation import EvaluationSettings
from instructglm.core.errors import DataError
from instructglm.core.files import write_text
from instructglm.core.ids import content_hash
from instructglm.core.records import Example, Prediction, Split
from instructglm.core.workspace import exclusive
from instructglm.data.dataset import read_examples, read_manifest
from instructglm.evaluation.models import arithmetic_of, model_names, other_models, predictors
from instructglm.evaluation.predict import predict
from instructglm.evaluation.predictions import read_predictions, write_predictions
from instructglm.evaluation.score import score
from instructglm.models.loading import load_tokenizer, model_fingerprint
from instructglm.pipeline.job import Job

_VERSION = 1  # of what the same settings lead to; raise it when prediction or scoring changes
SCORES = "scores.json"


def evaluate_run(job: Job, dataset: Path, run: Path) -> Path:
    """The folder with each model's predictions on the test split and `scores.json`.

    A model whose predictions are there already is not asked again.
    """
    folder = run / "evaluation" / f"test-{_digest(job, dataset)}"
    if (folder / SCORES).exists():
        job.skip(folder)
    else:
        with exclusive(folder), job.timed("evaluate"):
            if not (folder / SCORES).exists():
                _score_into(job, dataset, run, folder)
    job.workspace.note(evaluation=folder)
    return folder


def require_evaluable(job: Job, dataset: Path) -> None:
    """Find out before an hour of training that it could not be evaluated.

    Raises:
        DataError: the test split is empty.
        ModelError: another model that is to be scored cannot be had.
    """
    if not read_manifest(dataset).num_examples.get(Split.TEST.value):
        raise DataError(
            "no example is left to test on",
            hint="Raise data.split.test, or name test rows in the source. `instructglm train` needs none.",
        )
    for other in other_models(job.experiment.evaluation):
        load_tokenizer(other.name_or_path)


def _score_into(job: Job, dataset: Path, run: Path, folder: Path) -> None:
    examples = read_examples(dataset, Split.TEST)
    predictions = _predictions(job, run, folder, examples)
    scores = score(examples, predictions, job.experiment.evaluation, job.experiment.seed)
    write_text(folder / SCORES, scores.model_dump_json(indent=2) + "\n")


def _digest(job: Job, dataset: Path) -> str:
    """A finished evaluation is named by all that decides its figures (the run's folder names the rest)."""
    evaluation = job.experiment.evaluation
    settings = evaluation.model_dump(mode="json") | {"models": model_names(evaluation)}
    others = {other.name: model_fingerprint(other.name_or_path) for other in other_models(evaluation)}
    return content_hash(_VERSION, read_manifest(dataset).hash, settings, others, job.experiment.seed)


def predictions_file(folder: Path, model: str) -> Path:
    """Where the predictions of one model lie in an evaluation folder."""
    return folder / f"predictions-{model}.parquet"


def read_all_predictions(folder: Path, settings: EvaluationSettings) -> dict[str, list[Prediction]]:
    """Model -> its predictions, in the experiment's order of models."""
    return {name: read_predictions(predictions_file(folder, name)) for name in model_names(settings)}


def _predictions(job: Job, run: Path, folder: Path, examples: list[Example]) -> dict[str, list[Prediction]]:
    experiment = job.experiment
    settings = experiment.evaluation
    missing = [name for name in model_names(settings) if not predictions_file(folder, name).exists()]
    for name in set(model_names(settings)) - set(missing):
        job.progress.say(f"answers of {name} are up to date: skipped")
    setting = arithmetic_of(experiment)
    for predictor in predictors(settings, missing, experiment.model.name_or_path, run, setting):
        predicted = predict(predictor, examples, settings, experiment.data, job.progress)
        write_predictions(predictions_file(folder, predictor.name), predicted)
    return read_all_predictions(folder, settings)
