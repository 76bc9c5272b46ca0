"""What was told of a run before it, beside what it took."""

from __future__ import annotations

from dataclasses import dataclass

from instructglm.report import numerals
from instructglm.report.contents import TrainingCard


@dataclass(frozen=True)
class Expectation:
    """One figure; `name` is a key of the page's words. A dash stands for what was not told or not measured."""

    name: str
    estimated: str
    measured: str


def expectations(training: TrainingCard) -> tuple[Expectation, ...]:
    """Figure by figure; none of a run from before there were estimates."""
    told = training.estimate
    if told is None:
        return ()
    work = told.workload
    return (
        _counts("parameters", told.num_trainable_parameters, training.num_trainable_parameters),
        _counts("all_parameters", told.num_parameters, training.num_parameters),
        _counts("steps", work.num_steps if work else None, training.num_steps),
        _counts("input_tokens", work.num_input_tokens if work else None, training.num_input_tokens),
        _counts("trained_tokens", work.num_trained_tokens if work else None, training.num_train_tokens),
        Expectation("peak_memory", _size(told.memory.total), _size(training.peak_memory)),
        Expectation("training_time", numerals.MISSING, numerals.duration(training.seconds)),
    )


def _counts(name: str, estimated: int | None, measured: int) -> Expectation:
    told = numerals.MISSING if estimated is None else numerals.count(estimated)
    return Expectation(name, told, numerals.count(measured))


def _size(value: int | None) -> str:
    return numerals.MISSING if value is None else numerals.size(value)
