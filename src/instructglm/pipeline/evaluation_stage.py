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
    """The folder with the scores of this evaluation; each model's predictions on the test split lie above it.

    A model that was asked the same questions before is not asked again, whatever
    else is scored beside it and however sure the intervals are to be.
    """
    asked = run / "evaluation" / f"test-{_questions(job, dataset)}"
    folder = asked / f"scores-{_digest(job)}"
    if (folder / SCORES).exists():
        job.skip(folder)
    else:
        with exclusive(asked), job.timed("evaluate"):
            if not (folder / SCORES).exists():
                _score_into(job, dataset, run, folder)
    job.workspace.note("evaluation", folder)
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


def _questions(job: Job, dataset: Path) -> str:
    """Names all that decides a model's predictions, apart from the model (the run's folder names base and tuned)."""
    data, settings = job.experiment.data, job.experiment.evaluation
    limits = (settings.max_new_tokens, settings.max_new_tokens_closed, data.max_length, data.overlong)
    return content_hash(_VERSION, read_manifest(dataset).hash, limits)


def _digest(job: Job) -> str:
    """Names all that decides the scores of these predictions."""
    evaluation = job.experiment.evaluation
    others = {other.name: model_fingerprint(other.name_or_path) for other in other_models(evaluation)}
    return content_hash(
        _VERSION, model_names(evaluation), others, evaluation.confidence, evaluation.num_resamples, job.experiment.seed
    )


def predictions_files(folder: Path, settings: EvaluationSettings) -> dict[str, Path]:
    """Model -> where its predictions lie, for the folder of scores that were made from them.

    Another model's file is named by its weights as well: a name can be given to another.
    """
    prints = {other.name: content_hash(model_fingerprint(other.name_or_path)) for other in other_models(settings)}
    return {
        name: folder.parent / f"predictions-{name}{f'-{prints[name]}' if name in prints else ''}.parquet"
        for name in model_names(settings)
    }


def read_all_predictions(folder: Path, settings: EvaluationSettings) -> dict[str, list[Prediction]]:
    """Model -> its predictions, in the experiment's order of models."""
    return {name: read_predictions(path) for name, path in predictions_files(folder, settings).items()}


def _predictions(job: Job, run: Path, folder: Path, examples: list[Example]) -> dict[str, list[Prediction]]:
    experiment = job.experiment
    settings = experiment.evaluation
    files = predictions_files(folder, settings)
    missing = [name for name, path in files.items() if not path.exists()]
    for name in files.keys() - set(missing):
        job.progress.say(f"answers of {name} are up to date: skipped")
    setting = arithmetic_of(experiment)
    for predictor in predictors(settings, missing, experiment.model.name_or_path, run, setting):
        predicted = predict(predictor, examples, settings, experiment.data, job.progress)
        write_predictions(files[predictor.name], predicted)
    return read_all_predictions(folder, settings)
