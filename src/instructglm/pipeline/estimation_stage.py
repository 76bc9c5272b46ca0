"""What an experiment will take, told before it is run."""

from __future__ import annotations

from dataclasses import replace

from instructglm.core.errors import InstructGLMError, RunError
from instructglm.core.ledger import Ledger
from instructglm.data.features import Feature
from instructglm.data.templates import template_for
from instructglm.models.loading import load_tokenizer
from instructglm.models.memory import PeakMemory
from instructglm.pipeline.data_stage import build_dataset
from instructglm.pipeline.estimate_case import case_of, pad_id_of, require_room
from instructglm.pipeline.job import Job
from instructglm.pipeline.memory_told import memory_told
from instructglm.pipeline.training_features import training_features
from instructglm.pipeline.training_run import ready_to_train
from instructglm.report.estimate import Estimate, Probe
from instructglm.report.numerals import size
from instructglm.training.distributed.fleet import Fleet
from instructglm.training.estimate import Case, estimate
from instructglm.training.probe import MOST, probe
from instructglm.training.workload import longest_alone

_Features = tuple[list[Feature], list[Feature]]  # to train on, and to validate with


def estimate_run(job: Job, *, with_probe: bool) -> tuple[Estimate, Probe | None]:
    """The estimate, and what real steps took where they are asked for; of several processes, what one takes alone.

    The dataset is built where it does not stand yet. Where it or the tokenizer
    cannot be had, the estimate names what is missing and tells the rest.

    Raises:
        ModelError: there is no such model on this machine, or it cannot be tuned so.
        RunError: a probe is asked for, and there is nothing to train on, or no memory for it.
    """
    experiment = job.experiment
    require_room(experiment)
    pad_id, features, missing = _encoded(job)
    case = case_of(experiment, pad_id)
    job.progress.say("estimate: one step is played through without numbers")
    train, validation = features or (None, ())
    told = estimate(case, train, validation, missing=missing)
    if not with_probe:
        return told, None
    if features is None:
        raise RunError(
            *(f"{name}: {why}" for name, why in missing.items()),
            hint="--probe trains on the real data: mend these, or leave it out.",
        )
    alone = told
    if case.num_processes > 1:
        job.progress.say(f"probe: one process trains alone, with the whole model; {case.num_processes} share a step")
        case = replace(case, fleet=Fleet())
        alone = estimate(case, train, validation)
    return told, _probed(job, case, alone, features)


def _encoded(job: Job) -> tuple[int, _Features | None, dict[str, str]]:
    """The padding id, and what there is to train on and to validate with; or why there is none."""
    pad_id, wanted = 0, "tokenizer"
    try:
        tokenizer = load_tokenizer(job.experiment.model.name_or_path)
        pad_id, template, wanted = pad_id_of(tokenizer), template_for(tokenizer), "data"
        dataset, ledger = build_dataset(job), Ledger()
        return pad_id, training_features(job, dataset, template, ledger), {}
    except InstructGLMError as error:
        return pad_id, None, {wanted: str(error)}


def _probed(job: Job, case: Case, told: Estimate, features: _Features) -> Probe:
    _require_room(told, longest_alone(features[0], packed=told.packed))
    with PeakMemory(case.device) as peak, memory_told(told, job.experiment):
        tuned, setting = ready_to_train(job, case, *features)
        return probe(tuned, *features, case.training, setting, peak, job.progress)


def _require_room(told: Estimate, num_alone: int) -> None:
    """Refuse a probe of what this machine cannot hold: an accelerator says so, a CPU swaps until nobody can stop it."""
    memory = told.memory
    share = num_alone / (told.num_rows * told.num_row_tokens)
    one = int(share * ((memory.activations or 0) + (memory.backward or 0)))
    least = max(memory.loading, memory.weights + memory.gradients + memory.optimizer + one + (memory.logits or 0))
    if told.device == "cpu" and least > MOST * told.device_memory_available:
        raise RunError(
            f"no probe: one prompt at a time takes {size(least)}; {size(told.device_memory_available)} is free, "
            f"of which a probe takes {MOST:.0%} at most",
            hint="Probe on a larger machine, or leave out --probe.",
        )
