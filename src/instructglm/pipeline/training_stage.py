"""dataset -> run: encode, tune, train, keep the best weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from instructglm.config.experiment import Experiment
from instructglm.config.loading import to_yaml
from instructglm.config.training import NOT_THE_OUTCOME
from instructglm.core.errors import DataError, ModelError, RunError
from instructglm.core.files import remove, replace_folder, sync_folder, write_text
from instructglm.core.ids import content_hash
from instructglm.core.ledger import Ledger
from instructglm.core.records import Example, Split
from instructglm.core.workspace import exclusive
from instructglm.data.dataset import read_examples, read_manifest, write_ledger
from instructglm.data.features import Feature, encode_examples
from instructglm.data.output_weights import count_unrated, weighed
from instructglm.data.templates import Template, template_for
from instructglm.evaluation.predict import Predictor
from instructglm.models.guard import require_finite
from instructglm.models.hardware import choose_attention, choose_device, choose_dtype
from instructglm.models.loading import load, model_fingerprint
from instructglm.models.memory import PeakMemory
from instructglm.models.quantization import loading_in_few_bits
from instructglm.models.window import require_window
from instructglm.pipeline.estimate_case import case_of, loading_dtype_of, may_be_packed, pad_id_of
from instructglm.pipeline.job import Job, with_data_files
from instructglm.pipeline.memory_told import memory_told
from instructglm.pipeline.run_manifest import RunManifest, has_manifest, write_run
from instructglm.pipeline.watching import metric_curves, task_validator
from instructglm.report.contents import CurvePoint, TrainingCard
from instructglm.report.estimate import Estimate
from instructglm.report.numerals import size
from instructglm.training.checkpoint import RunState, tensor_storage
from instructglm.training.compilation import compile_layers
from instructglm.training.estimate import Case, estimate
from instructglm.training.loop import Setting, train
from instructglm.training.metrics_log import read_metrics
from instructglm.training.monitor import LOSS, gap_at, verdict
from instructglm.training.packing import set_packed
from instructglm.training.plan import make_plan
from instructglm.training.trackers import require_trackers
from instructglm.tuning import METHODS, TunedModel, note_base

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
    quantized = experiment.model.quantization_config
    return {
        "version": _VERSION,
        "dataset": read_manifest(dataset).hash,
        "model": model_fingerprint(experiment.model.name_or_path),
        "device": device.type,
        "attn_implementation": experiment.model.attn_implementation,
        "attention": choose_attention(experiment.model.attn_implementation, device, experiment.data.max_length),
        "dtype": str(choose_dtype(experiment.model.dtype, device)),
        "quantization_config": quantized.model_dump(mode="json") if quantized else None,
        "seed": experiment.seed,
        "max_length": experiment.data.max_length,
        "overlong": experiment.data.overlong,
        "tuning": experiment.tuning.model_dump(mode="json"),
        "training": experiment.training.model_dump(mode="json", exclude=set(NOT_THE_OUTCOME)),
    }


def _train_into(job: Job, dataset: Path, folder: Path, digest: str, inputs: dict[str, Any]) -> None:
    with PeakMemory(choose_device(job.experiment.model.device)) as peak:
        card = _trained(job, dataset, folder, inputs)
    card = card.model_copy(update={"peak_memory": peak.bytes, "memory_measure": peak.measure})
    write_run(folder, RunManifest(hash=digest, dataset=dataset.name, inputs=inputs, training=card))


def _trained(job: Job, dataset: Path, folder: Path, inputs: dict[str, Any]) -> TrainingCard:
    experiment = job.experiment
    require_trackers(experiment.training.report_to)
    device = choose_device(experiment.model.device)
    dtype = choose_dtype(experiment.model.dtype, device)
    attention = choose_attention(experiment.model.attn_implementation, device, experiment.data.max_length)
    model, tokenizer = load_to_tune(experiment, device, dtype, attention)
    template = template_for(tokenizer)
    ledger = Ledger()
    held_out = [example for split in (Split.VALIDATION, Split.TEST) for example in read_examples(dataset, split)]
    train_features = features_of(job, dataset, Split.TRAIN, template, ledger, held_out)
    validation_features = features_of(job, dataset, Split.VALIDATION, template, ledger)
    write_text(folder / "experiment.yaml", to_yaml(with_data_files(experiment, job.base)))
    write_ledger(folder, ledger.entries)
    made_with = {name: value for name, value in inputs.items() if name not in ("device", "dtype", "seed", "training")}
    case = case_of(experiment, pad_id_of(tokenizer))
    expected = _expected(job, case, train_features, validation_features)
    with memory_told(expected, experiment):
        model = model if experiment.model.quantization_config else model.to(device)
        tuned = METHODS[experiment.tuning.method](model, experiment.tuning, dtype=dtype, seed=experiment.seed)
        packed = pack_rows(job, tuned, [*train_features, *validation_features], device, dtype, attention)
        if expected and packed != expected.packed:
            expected = _expected(job, case, train_features, validation_features, packed)
        if expected:
            write_text(folder / "estimate.json", expected.model_dump_json(indent=2) + "\n")
        setting = Setting(device, dtype, case.pad_id, experiment.seed, packed, made_with)
        if experiment.training.torch_compile:
            job.progress.say("compiling the layers, and trying them out")
            compile_layers(tuned, train_features, setting)
        validate = task_validator(job, dataset, Predictor("validation", tuned.model, template, device, dtype))
        state = train(
            tuned, train_features, validation_features, experiment.training, setting, folder, job.progress, validate
        )
    _save(tuned, tokenizer, experiment.model.name_or_path, folder / tuned.name)
    card = _card(job, tuned, state, train_features, packed, folder)
    return card.model_copy(update={"estimate": expected})


def load_to_tune(experiment: Experiment, device: torch.device, dtype: torch.dtype, attention: str) -> tuple[Any, Any]:
    """The model that is tuned, fit to be, and its tokenizer. One of few bits is on its device already."""
    few_bits = loading_in_few_bits(experiment.model.quantization_config, dtype, device)
    told = few_bits or {"dtype": loading_dtype_of(experiment, dtype)}
    model, tokenizer = load(experiment.model.name_or_path, attn_implementation=attention, **told)
    require_finite(model, experiment.model.name_or_path)
    require_window(model, experiment.data.max_length)
    return model, tokenizer


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
    data, training = job.experiment.data, job.experiment.training
    features = encode_examples(
        _weighed(job, read_examples(dataset, split), split, ledger),
        template,
        max_length=data.max_length,
        overlong=data.overlong,
        ledger=ledger,
        held_out=held_out,
        max_tokens=training.tokens_per_batch if split is Split.TRAIN else None,
    )
    if split is Split.TRAIN and not features:
        raise DataError(
            "no training example is left",
            hint="Look at the ledger of the dataset, raise data.max_length (and training.tokens_per_batch, if set), "
            "or lower data.split.test and .validation.",
        )
    if not any(output for feature in features for output in feature.outputs) and split is Split.TRAIN:
        raise RunError("no token would be trained", hint="See `instructglm data preview`.")
    return features


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


def _save(tuned: TunedModel, tokenizer: Any, base: str, folder: Path) -> None:
    with tensor_storage(folder):
        tuned.save(folder)
        if tuned.name == "model":
            tokenizer.save_pretrained(folder)
        else:
            note_base(folder, base)
        sync_folder(folder)


def _card(
    job: Job, tuned: TunedModel, state: RunState, features: Sequence[Feature], packed: bool, folder: Path
) -> TrainingCard:
    settings, quantized = job.experiment.training, job.experiment.model.quantization_config
    plan = make_plan([feature.num_tokens for feature in features], settings, job.experiment.seed)
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
        verdict=verdict(state.watch, lines, settings.early_stopping.metric if settings.early_stopping else LOSS),
        settings={
            "num_train_prompts": len(features),
            "num_train_sequences": sum(len(feature.outputs) for feature in features),
            "packed": packed,
            "quantization_config": quantized.model_dump(mode="json") if quantized else None,
            **job.experiment.tuning.model_dump(mode="json"),
            **settings.model_dump(mode="json"),
        },
        resumed_at=state.resumed_at,
        gap=gap_at(best.step, checks, lines) if best else None,
        metric_curves=metric_curves(checks),
    )
