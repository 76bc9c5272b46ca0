"""Out of memory, a run says what to change; any other error is left alone."""

from __future__ import annotations

import pytest
import torch

from instructglm.config.experiment import Experiment
from instructglm.core.errors import RunError
from instructglm.pipeline.memory_told import memory_told

PETABYTES = 2**50  # numbers, which no machine holds


def experiment(**training: object) -> Experiment:
    return Experiment.model_validate(
        {"name": "a", "model": {"dtype": "float32"}, "data": {"sources": [{"path": "a.jsonl"}]}, "training": training}
    )


def told(chosen: Experiment) -> str:
    with pytest.raises(RunError) as error, memory_told(None, chosen):
        torch.empty(PETABYTES)
    return str(error.value)


def test_a_cpu_without_memory_is_told_too() -> None:
    message = told(experiment(micro_batch_size=8))
    assert "out of memory in training; there was no estimate" in message
    assert (
        "To take less: lower training.micro_batch_size (it is 8); set training.gradient_checkpointing to true; "
        in message
    )
    assert message.endswith("lower data.max_length (it is 512).")


def test_what_is_at_its_least_already_is_not_named() -> None:
    message = told(experiment(micro_batch_size=1, gradient_checkpointing=True))
    assert "micro_batch_size" not in message
    assert "gradient_checkpointing" not in message
    assert "To take less: lower data.max_length (it is 512); set model.dtype to bfloat16; " in message


def test_where_tokens_limit_a_pass_they_are_named() -> None:
    message = told(experiment(tokens_per_batch=2048, tokens_per_micro_batch=1024))
    assert "To take less: lower training.tokens_per_micro_batch (it is 1024); " in message
    assert "micro_batch_size" not in message


def test_what_is_not_lost_is_told_last() -> None:
    with (
        pytest.raises(RunError, match=r"\(it is 512\)\. The last checkpoint is intact\.$"),
        memory_told(None, experiment(), lambda: "The last checkpoint is intact."),
    ):
        torch.empty(PETABYTES)


def test_any_other_error_passes() -> None:
    with pytest.raises(RuntimeError, match="a bug"), memory_told(None, experiment()):
        raise RuntimeError("a bug")
