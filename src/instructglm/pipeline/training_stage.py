"""dataset -> run: encode, tune, train, keep the best weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from instructglm.config.experiment import Experiment
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
from instructglm.models.hardware import choose_attention, choose_device, choose_dtype, num_devices
from instructglm.models.loading import load, model_fingerprint
from instructglm.models.window import require_window
from instructglm.pipeline.job import Job, with_data_files
from instructglm.pipeline.run_manifest import RunManifest, has_manifest, write_run
from instructglm.report.contents import CurvePoint, TrainingCard
from instructglm.training.checkpoint import RunState, tensor_storage
from instructglm.training.distributed.fleet import Fleet, fleet_of
from instructglm.training.distributed.ranks import ALONE, Ranks
from instructglm.training.loop import Setting, train
from instructglm.training.metrics_log import read_metrics
from instructglm.training.monitor import verdict
from instructglm.training.packing import set_packed
from instructglm.training.plan import make_plan
from instructglm.tuning import METHODS, TunedModel
from instructglm.tuning.shards import is_parted

_NOT_THE_OUTCOME = {"logging_steps", "save_steps", "distributed"}  # a run may go on with others
_VERSION = 4  # of what the same settings lead to; raise it when training changes


def train_run(job: Job, dataset: Path) -> Path:
    """The run folder of this experiment on this dataset.

    An unfinished run goes on from its last checkpoint.
    """
    fleet = _fleet(job)
    inputs = _inputs(job, dataset, fleet)
    final = job.workspace.run(job.experiment.name, content_hash(inputs))
    if final.exists():
        job.skip(final)
    else:
        with exclusive(final), job.timed("train"):
            if not final.exists():
                _make(job, dataset, final, inputs, fleet)
    job.workspace.note("run", final)
    return final


def help_train_run(job: Job, dataset: Path) -> None:
    """What a node that is not the first does of `train_run`: its share of the steps."""
    fleet = _fleet(job)
    inputs = _inputs(job, dataset, fleet)
    final = job.workspace.run(job.experiment.name, content_hash(inputs))
    if final.exists() or has_manifest(_beside(final)):
        job.skip(final)
    else:
        job.progress.say(f"node {fleet.node_rank} of {fleet.nodes} trains with the others; node 0 tells how far it is")
        _train(job, dataset, _beside(final), content_hash(inputs), inputs, fleet)


def _fleet(job: Job) -> Fleet:
    device, settings = choose_device(job.experiment.model.device), job.experiment.training.distributed
    fleet = fleet_of(settings, device.type, num_devices(device))
    if settings and fleet.world_size == 1:
        job.progress.say(f"training.distributed: one process, for processes is {settings.processes} ({device.type})")
    return fleet


def _make(job: Job, dataset: Path, final: Path, inputs: dict[str, Any], fleet: Fleet) -> None:
    """Train beside `final`. The manifest is written last: where it stands, only the renaming is left to do."""
    partial = _beside(final)
    if not has_manifest(partial):
        _train(job, dataset, partial, content_hash(inputs), inputs, fleet)
    remove(partial / "checkpoints")  # a finished run never goes on
    replace_folder(partial, final)


def _beside(final: Path) -> Path:
    return final.with_name(f"{final.name}.partial")


def _train(job: Job, dataset: Path, folder: Path, digest: str, inputs: dict[str, Any], fleet: Fleet) -> None:
    if fleet.world_size == 1:
        train_into(job, dataset, folder, digest, inputs)
        return
    from instructglm.pipeline.rank import train_in_processes  # which calls `train_into`

    train_in_processes(fleet, job, dataset, folder, digest, inputs)


def _inputs(job: Job, dataset: Path, fleet: Fleet) -> dict[str, Any]:
    """Everything that decides the outcome of training.

    How the processes lie on nodes does not: a run may move.
    """
    experiment = job.experiment
    device = choose_device(experiment.model.device)
    return {
        "version": _VERSION,
        "dataset": read_manifest(dataset).hash,
        "model": model_fingerprint(experiment.model.name_or_path),
        "device": device.type,
        "num_processes": fleet.world_size,
        "strategy": fleet.strategy if fleet.world_size > 1 else None,
        "attn_implementation": experiment.model.attn_implementation,
        "attention": choose_attention(experiment.model.attn_implementation, device, experiment.data.max_length),
        "dtype": str(choose_dtype(experiment.model.dtype, device)),
        "seed": experiment.seed,
        "max_length": experiment.data.max_length,
        "overlong": experiment.data.overlong,
        "tuning": experiment.tuning.model_dump(mode="json"),
        "training": experiment.training.model_dump(mode="json", exclude=_NOT_THE_OUTCOME),
    }


def train_into(
    job: Job, dataset: Path, folder: Path, digest: str, inputs: dict[str, Any], ranks: Ranks = ALONE
) -> None:
    """Train in `folder`, on from its last checkpoint, and leave there what a finished run has.

    Where several processes train together, each calls this; the first writes.

    Raises:
        InstructGLMError: any mistake that the user can mend.
        KeyboardInterrupt: after the step in progress and its checkpoint.
    """
    experiment = job.experiment
    device = choose_device(experiment.model.device)
    dtype = choose_dtype(experiment.model.dtype, device)
    attention = choose_attention(experiment.model.attn_implementation, device, experiment.data.max_length)
    model, tokenizer = load(experiment.model.name_or_path, attn_implementation=attention)
    require_window(model, experiment.data.max_length)
    template = template_for(tokenizer)
    ledger = Ledger()
    held_out = [example for split in (Split.VALIDATION, Split.TEST) for example in read_examples(dataset, split)]
    train_features = _features(job, dataset, Split.TRAIN, template, ledger, held_out)
    validation_features = _features(job, dataset, Split.VALIDATION, template, ledger)
    if ranks.is_first:
        write_text(folder / "experiment.yaml", to_yaml(with_data_files(experiment, job.base)))
        write_ledger(folder, ledger.entries)
    tuned = _tuned(experiment, model.to(device), dtype)
    packed = _packed(job, tuned, [*train_features, *validation_features], device, dtype, attention)
    setting = Setting(device, dtype, _pad_id(tokenizer), experiment.seed, packed=packed, ranks=ranks)
    state = train(tuned, train_features, validation_features, experiment.training, setting, folder, job.progress)
    tuned = _put_together(experiment, tuned, dtype, ranks)
    if not ranks.is_first:
        return
    _save(tuned, tokenizer, folder / tuned.name)
    card = _card(job, tuned, state, len(train_features), sum(len(f.outputs) for f in train_features), setting, folder)
    write_run(folder, RunManifest(hash=digest, dataset=dataset.name, inputs=inputs, training=card))


def _tuned(experiment: Experiment, model: Any, dtype: torch.dtype) -> TunedModel:
    tuned: TunedModel = METHODS[experiment.tuning.method](model, experiment.tuning, dtype=dtype, seed=experiment.seed)
    return tuned


def _put_together(experiment: Experiment, tuned: TunedModel, dtype: torch.dtype, ranks: Ranks) -> TunedModel:
    """The tuned model whole, in the first process: a fresh one with the weights that FSDP had parted."""
    if not is_parted(tuned.model):
        return tuned
    weights = tuned.state(ranks.is_first)
    if not ranks.is_first:
        return tuned
    fresh = _tuned(experiment, load(experiment.model.name_or_path)[0], dtype)
    fresh.load_state(weights)
    return fresh


def _packed(
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
    if wanted == "none" or job.experiment.model.attn_implementation != "auto":
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


def _features(
    job: Job, dataset: Path, split: Split, template: Template, ledger: Ledger, held_out: Sequence[Example] = ()
) -> list[Feature]:
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


def _pad_id(tokenizer: Any) -> int:
    return int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id)


def _card(
    job: Job, tuned: TunedModel, state: RunState, num_prompts: int, num_sequences: int, setting: Setting, folder: Path
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
            "packed": setting.packed,
            "num_processes": setting.ranks.world_size,
            **job.experiment.tuning.model_dump(mode="json"),
            **settings.model_dump(mode="json"),
        },
        resumed_at=state.resumed_at,
    )
