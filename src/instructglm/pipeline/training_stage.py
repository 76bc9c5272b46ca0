"""dataset -> run: encode, tune, train, keep the best weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from instructglm.config.loading import to_yaml
from instructglm.core.errors import DataError, ModelError, RunError
from instructglm.core.files import remove, replace_folder, sync_folder, write_text
from instructglm.core.ids import content_hash
from instructglm.core.ledger import Ledger
from instructglm.core.records import Example, Split
from instructglm.core.workspace import exclusive
from instructglm.data.dataset import read_examples, read_manifest, write_ledger
from instructglm.data.features import Feature, encode_examples
from instructglm.data.templates import Template, template_for
from instructglm.models.hardware import choose_attention, choose_device, choose_dtype
from instructglm.models.loading import load, model_fingerprint
from instructglm.models.memory import PeakMemory
from instructglm.models.window import require_window
from instructglm.pipeline.estimate_case import case_of, may_be_packed, pad_id_of
from instructglm.pipeline.job import Job, with_data_files
from instructglm.pipeline.memory_told import memory_told
from instructglm.pipeline.run_manifest import RunManifest, has_manifest, write_run
from instructglm.report.contents import CurvePoint, TrainingCard
from instructglm.report.estimate import Estimate
from instructglm.report.numerals import size
from instructglm.training.checkpoint import RunState, tensor_storage
from instructglm.training.estimate import Case, estimate
from instructglm.training.loop import Setting, train
from instructglm.training.metrics_log import read_metrics
from instructglm.training.monitor import verdict
from instructglm.training.packing import set_packed
from instructglm.training.plan import make_plan
from instructglm.tuning import METHODS, TunedModel

_NOT_THE_OUTCOME = {"logging_steps", "save_steps"}  # a run may go on with others
_VERSION = 3  # of what the same settings lead to; raise it when training changes


def train_run(job: Job, dataset: Path) -> Path:
    """The run folder of this experiment on this dataset.

    An unfinished run goes on from its last checkpoint.
    """
    inputs = _inputs(job, dataset)
    digest = content_hash(inputs)
    final = job.workspace.run(job.experiment.name, digest)
    if final.exists():
        job.skip(final)
    else:
        with exclusive(final), job.timed("train"):
            if not final.exists():
                _make(job, dataset, final, digest, inputs)
    job.workspace.note("run", final)
    return final


def _make(job: Job, dataset: Path, final: Path, digest: str, inputs: dict[str, Any]) -> None:
    """Train beside `final`. The manifest is written last: where it stands, only the renaming is left to do."""
    partial = final.with_name(f"{final.name}.partial")
    if not has_manifest(partial):
        _train_into(job, dataset, partial, digest, inputs)
    remove(partial / "checkpoints")  # a finished run never goes on
    replace_folder(partial, final)


def _inputs(job: Job, dataset: Path) -> dict[str, Any]:
    """Everything that decides the outcome of training."""
    experiment = job.experiment
    device = choose_device(experiment.model.device)
    return {
        "version": _VERSION,
        "dataset": read_manifest(dataset).hash,
        "model": model_fingerprint(experiment.model.name_or_path),
        "device": device.type,
        "attn_implementation": experiment.model.attn_implementation,
        "attention": choose_attention(experiment.model.attn_implementation, device, experiment.data.max_length),
        "dtype": str(choose_dtype(experiment.model.dtype, device)),
        "seed": experiment.seed,
        "max_length": experiment.data.max_length,
        "overlong": experiment.data.overlong,
        "tuning": experiment.tuning.model_dump(mode="json"),
        "training": experiment.training.model_dump(mode="json", exclude=_NOT_THE_OUTCOME),
    }


def _train_into(job: Job, dataset: Path, folder: Path, digest: str, inputs: dict[str, Any]) -> None:
    with PeakMemory(choose_device(job.experiment.model.device)) as peak:
        card = _trained(job, dataset, folder)
    card = card.model_copy(update={"peak_memory": peak.bytes, "memory_measure": peak.measure})
    write_run(folder, RunManifest(hash=digest, dataset=dataset.name, inputs=inputs, training=card))


def _trained(job: Job, dataset: Path, folder: Path) -> TrainingCard:
    experiment = job.experiment
    device = choose_device(experiment.model.device)
    dtype = choose_dtype(experiment.model.dtype, device)
    attention = choose_attention(experiment.model.attn_implementation, device, experiment.data.max_length)
    model, tokenizer = load(experiment.model.name_or_path, attn_implementation=attention)
    require_window(model, experiment.data.max_length)
    template = template_for(tokenizer)
    ledger = Ledger()
    held_out = [example for split in (Split.VALIDATION, Split.TEST) for example in read_examples(dataset, split)]
    train_features = features_of(job, dataset, Split.TRAIN, template, ledger, held_out)
    validation_features = features_of(job, dataset, Split.VALIDATION, template, ledger)
    write_text(folder / "experiment.yaml", to_yaml(with_data_files(experiment, job.base)))
    write_ledger(folder, ledger.entries)
    case = case_of(experiment, pad_id_of(tokenizer))
    expected = _expected(job, case, train_features, validation_features)
    with memory_told(expected, experiment):
        model.to(device)
        tuned = METHODS[experiment.tuning.method](model, experiment.tuning, dtype=dtype, seed=experiment.seed)
        packed = pack_rows(job, tuned, [*train_features, *validation_features], device, dtype, attention)
        if expected and packed != expected.packed:
            expected = _expected(job, case, train_features, validation_features, packed)
        if expected:
            write_text(folder / "estimate.json", expected.model_dump_json(indent=2) + "\n")
        setting = Setting(device, dtype, case.pad_id, experiment.seed, packed)
        state = train(tuned, train_features, validation_features, experiment.training, setting, folder, job.progress)
    _save(tuned, tokenizer, folder / tuned.name)
    card = _card(job, tuned, state, len(train_features), sum(len(f.outputs) for f in train_features), packed, folder)
    return card.model_copy(update={"estimate": expected})


def _expected(
    job: Job, case: Case, features: Sequence[Feature], validation: Sequence[Feature], packed: bool | None = None
) -> Estimate | None:
    """What the run will take; a run is not stopped by what cannot be told of it."""
    try:
        told = estimate(case, features, validation, packed=packed)
        if told.memory.total is not None and told.memory.total > told.device_memory:
            job.progress.say(
                f"this run is estimated to take {size(told.memory.total)} at once; "
                f"the device ({told.device}) has {size(told.device_memory)}"
            )
        return told
    except Exception as error:  # where training cannot go on either, it says so itself
        job.progress.say(f"no estimate of this run: {next(iter(str(error).splitlines()), type(error).__name__)}")
        return None


def pack_rows(
    job: Job,
    tuned: TunedModel,
    features: Sequence[Feature],
    device: torch.device,
    dtype: torch.dtype,
    attention: str,
) -> bool:
    """Whether rows are packed: where the experiment lets it and the model can.

    Raises:
        ModelError: the experiment says they must be, and this model cannot.
    """
    wanted = job.experiment.training.packing
    if not may_be_packed(job.experiment):
        return False
    reason = set_packed(tuned, features, device, dtype, otherwise=attention)
    if reason and wanted == "shared_prefix":
        raise ModelError(
            f"training.packing is shared_prefix, and this model cannot be packed: {reason}",
            hint="Set training.packing to auto or none.",
        )
    if reason:
        job.progress.say(f"not packed: {reason}")
    return not reason


def features_of(
    job: Job, dataset: Path, split: Split, template: Template, ledger: Ledger, held_out: Sequence[Example] = ()
) -> list[Feature]:
    """The examples of a split as this model reads them.

    Raises:
        DataError: some are too long, or none is left to train on.
        RunError: no token would be trained.
    """
    data = job.experiment.data
    features = encode_examples(
        read_examples(dataset, split),
        template,
        max_length=data.max_length,
        overlong=data.overlong,
        ledger=ledger,
        held_out=held_out,
    )
    if split is Split.TRAIN and not features:
        raise DataError(
            "no training example is left",
            hint="Look at the ledger of the dataset, raise data.max_length, or lower data.split.test and .validation.",
        )
    if not any(output for feature in features for output in feature.outputs) and split is Split.TRAIN:
        raise RunError("no token would be trained", hint="See `instructglm data preview`.")
    return features


def _save(tuned: TunedModel, tokenizer: Any, folder: Path) -> None:
    with tensor_storage(folder):
        tuned.save(folder)
        if tuned.name == "model":
            tokenizer.save_pretrained(folder)
        sync_folder(folder)


def _card(
    job: Job, tuned: TunedModel, state: RunState, num_prompts: int, num_sequences: int, packed: bool, folder: Path
) -> TrainingCard:
    settings = job.experiment.training
    plan = make_plan(num_prompts, settings, job.experiment.seed)
    checks = state.watch.checks
    lines = read_metrics(folder / "metrics.jsonl")
    curve = [line for line in lines if "train_loss_nats_per_token" in line]
    best = state.watch.best
    return TrainingCard(
        method=job.experiment.tuning.method,
        num_trainable_parameters=tuned.num_trainable(),
        num_parameters=tuned.num_parameters(),
        num_steps=state.step,
        num_epochs=round(plan.epoch(state.step), 3),
        num_train_tokens=state.num_trained_tokens,
        num_input_tokens=state.num_input_tokens,
        seconds=round(state.seconds, 2),
        train_curve=tuple(CurvePoint(step=int(line["step"]), loss=line["train_loss_nats_per_token"]) for line in curve),
        validation_curve=tuple(CurvePoint(step=check.step, loss=check.loss) for check in checks),
        best_step=best.step if best else state.step,
        stopped_early=state.step < plan.num_steps,
        verdict=verdict(checks, plan.num_steps),
        settings={
            "num_train_prompts": num_prompts,
            "num_train_sequences": num_sequences,
            "packed": packed,
            **job.experiment.tuning.model_dump(mode="json"),
            **settings.model_dump(mode="json"),
        },
        resumed_at=state.resumed_at,
    )
