"""Real steps on a real model tell speed, memory and the largest batch, and leave nothing."""

from __future__ import annotations

import pytest
import torch

from instructglm.config.training import TrainingSettings
from instructglm.config.tuning import LoraTuning
from instructglm.core.errors import RunError
from instructglm.core.progress import SilentProgress
from instructglm.data.features import Feature
from instructglm.data.templates import Encoded
from instructglm.models.loading import load
from instructglm.models.memory import DeviceMemory, PeakMemory
from instructglm.training import probe as probing
from instructglm.training import trial
from instructglm.training.loop import Setting
from instructglm.training.loss import weighted_nats
from instructglm.training.probe import largest_that_fits, probe
from instructglm.tuning import METHODS

CPU = torch.device("cpu")
SETTINGS = TrainingSettings(batch_size=12, micro_batch_size=5, num_train_epochs=4, eval_steps=2)


def features(count: int) -> list[Feature]:
    return [Feature(str(n), Encoded.untrained([9] * 20), [[11, 12, 13, 14]], [1.0]) for n in range(count)]


def probed(tiny_model, settings: TrainingSettings = SETTINGS):
    with PeakMemory(CPU) as peak:
        tuned = METHODS["lora"](load(tiny_model)[0], LoraTuning(rank=4), dtype=torch.float32, seed=1)
        setting = Setting(CPU, torch.float32, 0, seed=1)
        return probe(tuned, features(30), features(6), settings, setting, peak, SilentProgress())


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 5, 8, 9, 31, 32])
@pytest.mark.parametrize("wanted", [1, 6, 8, 32])
def test_the_largest_size_is_found_and_the_wanted_one_tried_on_the_way(limit, wanted):
    tried: list[int] = []

    def fits(size: int) -> bool:
        tried.append(size)
        return size <= limit

    assert largest_that_fits(fits, wanted, 32) == limit
    assert wanted in tried or limit < wanted
    assert len(set(tried)) == len(tried) <= 12
    assert max(tried) <= 32


def test_a_probe_tells_speed_memory_and_time(tiny_model):
    found = probed(tiny_model)
    assert found.value == 5
    assert found.largest == found.whole_step == 12
    assert found.peak_memory > 0
    assert found.memory_measure == "resident"
    num_tokens = 4 * 30 * 24
    assert found.training_s == pytest.approx(num_tokens / found.input_tokens_per_s)
    assert found.validation_s > 0
    assert found.cost(3600.0) == pytest.approx(found.training_s + found.validation_s)


def test_where_steps_are_filled_with_tokens_their_largest_number_is_found(tiny_model, monkeypatch):
    """Prompts of 24 tokens, 8 in a step; one of 7 in a pass is too much."""
    settings = TrainingSettings(tokens_per_batch=200, tokens_per_micro_batch=100, num_train_epochs=4)
    found = probed(tiny_model, settings)
    assert (found.setting, found.value, found.largest, found.whole_step) == ("tokens_per_micro_batch", 100, 192, 192)
    assert found.training_s == pytest.approx(4 * 30 * 24 / found.input_tokens_per_s)
    assert found.validation_s > 0

    def small(model, batch, **kwargs):
        if model.training and len(batch.input_ids) > 6:
            raise torch.OutOfMemoryError("no room")
        return weighted_nats(model, batch, **kwargs)

    monkeypatch.setattr(trial, "weighted_nats", small)
    assert 6 * 24 <= probed(tiny_model, settings).largest < 7 * 24


def test_a_pass_that_finds_no_memory_is_recovered_from(tiny_model, monkeypatch):
    """No accelerator is here to run out: its error is raised in its place."""

    def small(model, batch, **kwargs):
        if len(batch.input_ids) > 7:
            raise torch.OutOfMemoryError("no room")
        return weighted_nats(model, batch, **kwargs)

    monkeypatch.setattr(trial, "weighted_nats", small)
    found = probed(tiny_model, SETTINGS.model_copy(update={"micro_batch_size": 12}))
    assert found.largest == 7
    assert found.value == 7  # what was wanted did not fit


def test_a_cpu_is_never_filled_to_see_whether_it_holds(tiny_model, monkeypatch):
    sizes: list[int] = []

    def watched(model, batch, **kwargs):
        sizes.append(len(batch.input_ids))
        return weighted_nats(model, batch, **kwargs)

    grown = iter(range(0, 10**9, 10_000))  # bytes, at each look
    monkeypatch.setattr(PeakMemory, "bytes", property(lambda _: next(grown)))
    monkeypatch.setattr(PeakMemory, "held", 0)
    monkeypatch.setattr(probing, "device_memory", lambda _: DeviceMemory(10**9, 100_000))
    monkeypatch.setattr(trial, "weighted_nats", watched)
    found = probed(tiny_model, SETTINGS.model_copy(update={"micro_batch_size": 12}))
    assert found.largest < 12
    assert max(sizes[:-1]) <= found.largest


def test_nothing_fits(tiny_model, monkeypatch):
    monkeypatch.setattr(probing, "device_memory", lambda _: DeviceMemory(1, 0))
    with pytest.raises(RunError, match="not even one sequence at a time"):
        probed(tiny_model)
