"""sources -> dataset: build, describe, write."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from instructglm.annotation.summary import summarise
from instructglm.config.experiment import Experiment
from instructglm.core.errors import DataError, RunError
from instructglm.core.files import staged_folder, write_text
from instructglm.core.ledger import Ledger
from instructglm.core.progress import SilentProgress
from instructglm.core.records import Split
from instructglm.core.seeds import derived_seed
from instructglm.core.workspace import Workspace, exclusive
from instructglm.data import build as building
from instructglm.data.dataset import read_examples, write_examples, write_ledger, write_manifest
from instructglm.data.features import encode_examples
from instructglm.data.output_weights import weighed
from instructglm.data.preview import Preview, preview
from instructglm.data.templates import template_for
from instructglm.pipeline.data_card import make_data_card
from instructglm.pipeline.job import Job, with_model_folders
from instructglm.report.card import card_markdown
from instructglm.report.contents import AgreementSummary

CARD = "card.json"
_WAIT_S = 1800


def build_dataset(job: Job) -> Path:
    """The dataset folder of this experiment; built where it does not stand yet."""
    digest = building.dataset_hash(job.experiment.data, job.base)
    folder = job.workspace.dataset(job.experiment.name, digest)
    if folder.exists():
        job.skip(folder)
    else:
        with exclusive(folder), job.timed("data"):
            if not folder.exists():
                _build(job, digest, folder)
    job.workspace.note("dataset", folder)
    return folder


def await_dataset(job: Job) -> Path:
    """The dataset folder of this experiment, once another machine has built it.

    Raises:
        RunError: that took more than half an hour.
    """
    folder = job.workspace.dataset(job.experiment.name, building.dataset_hash(job.experiment.data, job.base))
    started = time.monotonic()
    while not folder.exists():
        if time.monotonic() - started > _WAIT_S:
            raise RunError(
                f"{folder}: node 0 has not built it within {_WAIT_S // 60} minutes",
                hint="Start the same command on node 0, and see that --out lies on a disk that all nodes share.",
            )
        time.sleep(1)
    return folder


def _build(job: Job, digest: str, folder: Path) -> None:
    built = building.build(job.experiment.data, job.base, job.progress.say)
    _write(job, built, digest, folder)
    counts = ", ".join(f"{len(examples):,} {split.value}" for split, examples in built.splits.items())
    job.progress.say(f"dataset: {counts}; {len(built.ledger):,} rows in the ledger")


def _write(job: Job, built: building.Built, digest: str, final: Path) -> None:
    manifest = building.make_manifest(job.experiment.name, digest, job.experiment.data, built)
    card = make_data_card(manifest, built.splits, built.ledger.entries, _agreement(built, job.experiment.seed))
    with staged_folder(final) as folder:
        for split, examples in built.splits.items():
            write_examples(folder / f"{split.value}.parquet", examples)
        write_ledger(folder, built.ledger.entries)
        write_manifest(folder, manifest)
        write_text(folder / CARD, card.model_dump_json(indent=2) + "\n")
        write_text(folder / "card.md", card_markdown(card))


def _agreement(built: building.Built, seed: int) -> tuple[AgreementSummary, ...]:
    """How far the annotators of each rated task agree."""
    return tuple(
        AgreementSummary.model_validate(
            summarise(task, items, np.random.default_rng(derived_seed(seed, "agreement", task))).model_dump()
        )
        for task, items in built.rated.items()
        if items
    )


def preview_examples(experiment: Experiment, base: Path, out: Path, n: int) -> list[Preview]:
    """The first `n` training examples as training will read them, each with all its outputs, token by token.

    Raises:
        DataError: there is no training example, or one is too long.
    """
    from instructglm.models.loading import load_tokenizer

    base = base.resolve()
    experiment = with_model_folders(experiment, base)
    job = Job(experiment, base, Workspace(out.resolve()), SilentProgress(), "")
    examples = read_examples(build_dataset(job), Split.TRAIN)
    template = template_for(load_tokenizer(experiment.model.name_or_path))
    data = experiment.data
    features = encode_examples(
        weighed(examples, experiment.training.output_weights, Ledger()),
        template,
        max_length=data.max_length,
        overlong=data.overlong,
        ledger=Ledger(),
        max_tokens=experiment.training.tokens_per_batch,
    )
    if not features:
        raise DataError("there is no training example to look at")
    rows = {example.id: example.row for example in examples}
    return [
        preview(rows[feature.example_id], encoded, template)
        for feature in features[:n]
        for encoded, _ in feature.sequences()
    ]
