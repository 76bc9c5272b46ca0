"""The examples of a dataset as the model that is trained reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from instructglm.core.errors import DataError, RunError
from instructglm.core.ledger import Ledger
from instructglm.core.records import Example, Split
from instructglm.data.dataset import read_examples
from instructglm.data.features import Feature, encode_examples
from instructglm.data.output_weights import count_unrated, weighed
from instructglm.data.templates import Template
from instructglm.pipeline.job import Job


def training_features(
    job: Job, dataset: Path, template: Template, ledger: Ledger
) -> tuple[list[Feature], list[Feature]]:
    """What to train on, and what to validate with. What is left out goes into the ledger.

    Raises:
        DataError: some are too long, or none is left to train on.
        RunError: no token would be trained.
    """
    held_out = [example for split in (Split.VALIDATION, Split.TEST) for example in read_examples(dataset, split)]
    train = _features(job, dataset, Split.TRAIN, template, ledger, held_out)
    if not train:
        raise DataError(
            "no training example is left",
            hint="Look at the ledger of the dataset, raise data.max_length (and training.tokens_per_batch, if set), "
            "or lower data.split.test and .validation.",
        )
    if not any(output for feature in train for output in feature.outputs):
        raise RunError("no token would be trained", hint="See `instructglm data preview`.")
    return train, _features(job, dataset, Split.VALIDATION, template, ledger)


def _features(
    job: Job, dataset: Path, split: Split, template: Template, ledger: Ledger, held_out: Sequence[Example] = ()
) -> list[Feature]:
    data, training = job.experiment.data, job.experiment.training
    return encode_examples(
        _weighed(job, read_examples(dataset, split), split, ledger),
        template,
        max_length=data.max_length,
        overlong=data.overlong,
        ledger=ledger,
        held_out=held_out,
        max_tokens=training.tokens_per_batch if split is Split.TRAIN else None,
    )


def _weighed(job: Job, examples: Sequence[Example], split: Split, ledger: Ledger) -> list[Example]:
    """The examples with the output weights of the experiment, which says of how many outputs it makes nothing."""
    rule = job.experiment.training.output_weights
    kept = weighed(examples, rule, ledger)
    num_left_out = sum(len(example.outputs) for example in examples) - sum(len(one.outputs) for one in kept)
    if num_left_out:
        job.progress.say(
            f"output_weights: {rule}: {num_left_out} outputs for {split} are left out, named in the ledger"
        )
    num_unrated = count_unrated(examples)
    if num_unrated and rule in ("rating", "best"):
        job.progress.say(
            f"output_weights: {rule}: {num_unrated} prompts for {split} have several outputs and no rating: "
            "all of theirs count the same"
        )
    return kept
