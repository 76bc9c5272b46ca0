"""One training, from a dataset to a finished run's folder; where several processes train, by each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from instructglm.config.experiment import Experiment
from instructglm.config.loading import to_yaml
from instructglm.core.errors import ModelError
from instructglm.core.files import sync_folder, write_text
from instructglm.core.ledger import Ledger
from instructglm.data.dataset import write_ledger
from instructglm.data.features import Feature
from instructglm.data.templates import Template, template_for
from instructglm.evaluation.predict import Predictor
from instructglm.models.guard import require_finite
from instructglm.models.hardware import choose_attention
from instructglm.models.loading import load, load_tokenizer
from instructglm.models.memory import PeakMemory
from instructglm.models.quantization import loading_in_few_bits
from instructglm.pipeline.estimate_case import case_of, loading_dtype_of, may_be_packed, pad_id_of
from instructglm.pipeline.job import Job, with_data_files
from instructglm.pipeline.memory_told import memory_told
from instructglm.pipeline.run_manifest import RunManifest, write_run
from instructglm.pipeline.training_card import training_card
from instructglm.pipeline.training_features import training_features
from instructglm.pipeline.watching import task_validator, tell_unwatched
from instructglm.report.contents import TrainingCard
from instructglm.report.estimate import Estimate
from instructglm.report.numerals import size
from instructglm.training.checkpoint import intact, tensor_storage
from instructglm.training.compilation import compile_layers
from instructglm.training.distributed.ranks import ALONE, Ranks
from instructglm.training.estimate import Case, estimate
from instructglm.training.loop import train
from instructglm.training.packing import set_packed
from instructglm.training.setting import Setting
from instructglm.training.trackers import require_trackers
from instructglm.tuning import METHODS, TunedModel, note_base
from instructglm.tuning.shards import is_parted

_SAID_BY_THE_SETTING = ("device", "dtype", "seed", "training")


def train_into(
    job: Job, dataset: Path, folder: Path, digest: str, inputs: dict[str, Any], ranks: Ranks = ALONE
) -> None:
    """Train in `folder`, on from its last checkpoint, and leave there what a finished run has.

    Where several processes train together, each calls this; the first writes.

    Raises:
        InstructGLMError: any mistake that the user can mend.
        KeyboardInterrupt: after the step in progress and its checkpoint.
    """
    card = _trained(job, dataset, folder, inputs, ranks)
    if card:
        write_run(folder, RunManifest(hash=digest, dataset=dataset.name, inputs=inputs, training=card))


def _trained(job: Job, dataset: Path, folder: Path, inputs: dict[str, Any], ranks: Ranks) -> TrainingCard | None:
    """The card, in the first process; the tuned weights are saved."""
    experiment = job.experiment
    require_trackers(experiment.training.report_to)
    tokenizer = load_tokenizer(experiment.model.name_or_path)
    template, case = template_for(tokenizer), case_of(experiment, pad_id_of(tokenizer))
    data = _read(job, dataset, folder, template, ranks)
    expected = _expected(job, case, *data)
    made_with = {name: value for name, value in inputs.items() if name not in _SAID_BY_THE_SETTING}
    with PeakMemory(case.device) as peak:  # what was imported and played through before is not the run's
        with memory_told(expected, experiment, partial(intact, folder / "checkpoints")):
            tuned, setting = ready_to_train(job, case, *data, made_with, ranks)
            if expected and setting.packed != expected.packed:
                expected = _expected(job, case, *data, setting.packed)
            if expected and ranks.is_first:
                write_text(folder / "estimate.json", expected.model_dump_json(indent=2) + "\n")
            predictor = Predictor("validation", tuned.model, template, case.device, case.dtype)
            validate = task_validator(job, dataset, predictor, ranks)
            state = train(tuned, *data, experiment.training, setting, folder, job.progress, validate)
        tuned = _put_together(experiment, tuned, case.dtype, ranks)
        if not ranks.is_first:
            return None
        _save(tuned, tokenizer, experiment.model.name_or_path, folder / tuned.name)
    measured = {"estimate": expected, "peak_memory": peak.bytes, "memory_measure": peak.measure}
    return training_card(job, tuned, state, data[0], setting, folder).model_copy(update=measured)


def _read(
    job: Job, dataset: Path, folder: Path, template: Template, ranks: Ranks
) -> tuple[list[Feature], list[Feature]]:
    """What to train on, and what to validate with; the first process leaves word of what is left out."""
    ledger = Ledger()
    features, validation = training_features(job, dataset, template, ledger)
    tell_unwatched(job, dataset, validation)
    if ranks.is_first:
        write_text(folder / "experiment.yaml", to_yaml(with_data_files(job.experiment, job.base)))
        write_ledger(folder, ledger.entries)
    return features, validation


def ready_to_train(
    job: Job,
    case: Case,
    features: Sequence[Feature],
    validation: Sequence[Feature],
    made_with: Mapping[str, Any] | None = None,
    ranks: Ranks = ALONE,
) -> tuple[TunedModel, Setting]:
    """The model with its weights, its method applied, packed and compiled as the experiment wants; and its setting.

    Raises:
        InstructGLMError: it cannot be had so.
    """
    experiment = job.experiment
    attention = choose_attention(experiment.model.attn_implementation, case.device, experiment.data.max_length)
    model = _load_to_tune(experiment, case.device, case.dtype, attention)
    tuned = _tuned(experiment, model, case.dtype)
    packed = _pack_rows(job, tuned, [*features, *validation], case.device, case.dtype, attention)
    setting = Setting(case.device, case.dtype, case.pad_id, case.seed, packed, made_with or {}, ranks)
    if experiment.training.torch_compile:
        job.progress.say("compiling the layers, and trying them out")
        compile_layers(tuned, features, setting)
    return tuned, setting


def _load_to_tune(experiment: Experiment, device: torch.device, dtype: torch.dtype, attention: str) -> Any:
    """The model that is tuned, fit to be, on its device."""
    few_bits = loading_in_few_bits(experiment.model.quantization_config, dtype, device)
    told = few_bits or {"dtype": loading_dtype_of(experiment, dtype)}
    model, _ = load(experiment.model.name_or_path, attn_implementation=attention, **told)
    require_finite(model, experiment.model.name_or_path)
    return model if few_bits else model.to(device)


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
    fresh = _tuned(experiment, load(experiment.model.name_or_path, dtype=loading_dtype_of(experiment, dtype))[0], dtype)
    fresh.load_state(weights)
    return fresh


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


def _pack_rows(
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


def _save(tuned: TunedModel, tokenizer: Any, base: str, folder: Path) -> None:
    with tensor_storage(folder):
        tuned.save(folder)
        if tuned.name == "model":
            tokenizer.save_pretrained(folder)
        else:
            note_base(folder, base)
        sync_folder(folder)
