"""An estimate as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from instructglm.cli.tables import table

if TYPE_CHECKING:
    from instructglm.report.estimate import Estimate, Probe

_PARTS = {
    "weights": "weights",
    "gradients": "gradients",
    "optimizer": "optimizer state",
    "activations": "activations",
    "logits": "logits and loss",
    "backward": "backward pass",
    "step": "a step, together",
    "validation": "validation, together",
    "loading": "while it is loaded",
    "total": "at most at once",
}
_OF_ONE = {
    "ddp": "each has the whole model, and gradients twice, as they are and as they are sent",
    "fsdp": "each has its part of weights, gradients and optimizer state, and first loads the whole model",
}
_NOT_KNOWN = "not known"
_PROBE = "not known without real steps: run with --probe"


def as_json(told: Estimate, probed: Probe | None, price_per_hour: float | None) -> dict[str, Any]:
    """The estimate, and the probe and its cost, or null where there are none."""
    measured = None if probed is None else probed.model_dump(mode="json") | {"seconds": probed.seconds}
    return {"estimate": told.model_dump(mode="json"), "probe": measured, "cost": _cost(probed, price_per_hour)}


def _cost(probed: Probe | None, price_per_hour: float | None) -> float | None:
    return None if probed is None or price_per_hour is None else probed.cost(price_per_hour)


def show_estimate(told: Estimate, probed: Probe | None, price_per_hour: float | None) -> None:
    """Print parameters, memory, work, time, and what is missing."""
    parts = (_parameters(told), _memory(told), _work(told), _time(told, probed, price_per_hour), _missing(told))
    print("\n\n".join("\n".join(lines) for part in parts if (lines := list(part))))


def _parameters(told: Estimate) -> Iterator[str]:
    moving, whole = told.num_trainable_parameters, told.num_parameters
    yield f"{told.method} in {told.dtype}: {moving:,} of {whole:,} parameters are trained ({moving / whole:.2%})"


def _memory(told: Estimate) -> Iterator[str]:
    from instructglm.report.numerals import size

    rows = [[words, _size(getattr(told.memory, name))] for name, words in _PARTS.items()]
    yield table(["memory", "bytes"], rows)
    kind = "packed row" if told.packed else "row" if told.num_rows == 1 else "rows"
    yield f"The largest pass reads {told.num_rows:,} {kind} of {told.num_row_tokens:,} tokens."
    yield f"This device ({told.device}) has {size(told.device_memory)}; {size(told.device_memory_available)} is free."
    if told.num_processes > 1:
        yield f"All this is of one of {told.num_processes} processes: {_OF_ONE[str(told.strategy)]}."
    if told.memory.total is not None and told.memory.total > told.device_memory:
        yield f"It does not fit: {_remedy(told)}."


def _remedy(told: Estimate) -> str:
    memory = told.memory
    if max(memory.loading, memory.weights + memory.gradients + memory.optimizer) > told.device_memory:
        return "whatever the batch is, tune fewer weights, or take a smaller model or a larger machine"
    return "lower training.micro_batch_size (or tokens_per_micro_batch), or set training.gradient_checkpointing to true"


def _size(value: int | None) -> str:
    from instructglm.report.numerals import size

    return _NOT_KNOWN if value is None else size(value)


def _work(told: Estimate) -> Iterator[str]:
    work = told.workload
    if work is None:
        yield f"Tokens and steps: {_NOT_KNOWN}. Memory is that of rows of data.max_length tokens."
        return
    rows = [
        ["optimizer steps", work.num_steps_per_epoch, work.num_steps],
        ["tokens read", work.num_input_tokens_per_epoch, work.num_input_tokens],
        ["tokens trained", work.num_trained_tokens_per_epoch, work.num_trained_tokens],
    ]
    yield table(["work", "an epoch", "the run"], [[name, f"{epoch:,}", f"{run:,}"] for name, epoch, run in rows])
    yield f"{work.num_prompts:,} prompts with {work.num_sequences:,} outputs; without early stopping."


def _time(told: Estimate, probed: Probe | None, price_per_hour: float | None) -> Iterator[str]:
    if probed is None:
        yield f"Time: {_PROBE}."
        if price_per_hour is not None:
            yield f"Cost: {_PROBE}."
        return
    from instructglm.report.numerals import duration

    times = f"training {duration(probed.training_s)}, validation {duration(probed.validation_s)}"
    yield table(["measured", ""], [[name, value] for name, value in _measured(probed)])
    yield f"Time: {duration(probed.seconds)} ({times}), if {probed.num_timed_steps} steps tell."
    if told.num_processes > 1:
        yield f"That is one process alone; how fast {told.num_processes} are that share the steps is not known."
    if price_per_hour is not None:
        cost = probed.cost(price_per_hour)
        yield f"Cost: {f'{cost:,.2f}' if cost >= 0.01 else 'less than 0.01'} at {price_per_hour:g} an hour."


def _measured(probed: Probe) -> Iterator[tuple[str, str]]:
    from instructglm.report.numerals import size

    what = "allocated on the device" if probed.memory_measure == "allocated" else "resident set, sampled"
    most = "; a step has no more" if probed.largest == probed.whole_step else ""
    yield probed.setting, f"{probed.value:,}"
    yield "tokens read", f"{probed.input_tokens_per_s:,.0f}/s"
    yield "peak memory", f"{size(probed.peak_memory)} ({what})"
    yield f"largest {probed.setting}", f"{probed.largest:,}{most}"


def _missing(told: Estimate) -> Iterator[str]:
    for name, why in told.missing.items():
        yield f"{name}: {_NOT_KNOWN}: {why}"
