"""Which checkpoints are written and kept, and which one a run goes on from."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from tiny_runs import CPU, PACKED, SETTINGS, Told, curve, features, run

from instructglm.core.errors import RunError, StorageError
from instructglm.training import loop
from instructglm.training.checkpoint import SaveClock
from instructglm.training.metrics_log import read_metrics
from instructglm.training.provenance import data_hash

TWO = SETTINGS.model_copy(update={"save_total_limit": 2, "max_steps": 5})


def steps(folder) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def stopped(tiny_model, folder, monkeypatch, settings=SETTINGS, at: int = 5, **options) -> None:
    """A run that breaks off after a step."""
    real = loop._Run._after_step

    def after_step(self):
        real(self)
        if self.state.step == at:
            raise EOFError

    with monkeypatch.context() as patched:
        patched.setattr(loop._Run, "_after_step", after_step)
        with pytest.raises(EOFError):
            run(tiny_model, folder, settings, **options)


# Which


def test_one_checkpoint_is_kept_and_the_best_weights(tiny_model, tmp_path) -> None:
    _, state = run(tiny_model, tmp_path)
    assert steps(tmp_path) == [f"best-{state.watch.best.step:08d}", "step-00000006"]


def test_more_are_kept_where_it_is_asked_for_each_with_its_best_weights(tiny_model, tmp_path) -> None:
    run(tiny_model, tmp_path, TWO)
    assert steps(tmp_path)[-2:] == ["step-00000004", "step-00000005"]
    for name in steps(tmp_path)[-2:]:
        best = json.loads((tmp_path / "checkpoints" / name / "state.json").read_text())["watch"]["best"]["step"]
        assert (tmp_path / "checkpoints" / f"best-{best:08d}").is_dir()


def test_a_checkpoint_by_minutes_comes_between_those_by_steps_and_changes_nothing(tiny_model, tmp_path) -> None:
    rare = SETTINGS.model_copy(update={"save_steps": 100, "eval_steps": 100, "save_total_limit": 100})
    run(tiny_model, tmp_path / "rare", rare)
    run(tiny_model, tmp_path / "often", rare.model_copy(update={"save_minutes": 1e-9}))
    assert steps(tmp_path / "rare")[-1:] == ["step-00000006"]
    assert [name for name in steps(tmp_path / "often") if "step" in name] == [f"step-{n:08d}" for n in range(1, 7)]
    assert curve(tmp_path / "rare") == curve(tmp_path / "often")


def test_minutes_count_from_the_last_checkpoint_whatever_it_was_written_for() -> None:
    time = iter([0.0, 100.0, 100.0, 160.0, 220.0])
    clock = SaveClock(2.0, lambda: next(time))
    assert not clock.is_due()
    clock.restart()
    assert [clock.is_due(), clock.is_due()] == [False, True]
    assert not SaveClock(None).is_due()


# Damage


def test_where_the_newest_is_damaged_the_run_goes_on_from_the_one_before(tiny_model, tmp_path, monkeypatch) -> None:
    run(tiny_model, tmp_path / "whole", TWO)
    for file in ("weights.safetensors", "optimizer.safetensors", "state.json"):
        cut, told = tmp_path / file, Told()
        stopped(tiny_model, cut, monkeypatch, TWO, at=4)
        assert [name for name in steps(cut) if "step" in name] == ["step-00000002", "step-00000004"]
        (cut / "checkpoints" / "step-00000004" / file).write_bytes(b"half")
        _, state = run(tiny_model, cut, TWO, progress=told)
        assert f"{file}" in told.lines[0]
        assert "training goes on from the checkpoint before, step-00000002" in told.lines[0]
        assert state.resumed_at == (2,)
        assert curve(cut) == curve(tmp_path / "whole")


def test_a_damaged_checkpoint_goes_with_the_next_good_one_even_of_an_earlier_step(
    tiny_model, tmp_path, monkeypatch
) -> None:
    stopped(tiny_model, tmp_path, monkeypatch, TWO, at=4)
    (tmp_path / "checkpoints" / "step-00000004" / "weights.safetensors").write_bytes(b"half")
    stopped(tiny_model, tmp_path, monkeypatch, TWO.model_copy(update={"save_steps": 1}), at=3)
    assert steps(tmp_path)[-2:] == ["step-00000002", "step-00000003"]
    _, state = run(tiny_model, tmp_path, TWO)
    assert state.resumed_at == (2, 3)


def test_where_all_are_damaged_the_newest_is_named(tiny_model, tmp_path) -> None:
    run(tiny_model, tmp_path, TWO)
    for saved in (tmp_path / "checkpoints").glob("step-*"):
        (saved / "weights.safetensors").write_bytes(b"half")
    with pytest.raises(StorageError, match=r"step-00000005/weights\.safetensors: damaged"):
        run(tiny_model, tmp_path, TWO)


# What a run was trained with


def test_a_run_that_goes_on_with_other_settings_is_refused_naming_each_with_both_values(
    tiny_model, tmp_path, monkeypatch
) -> None:
    stopped(tiny_model, tmp_path, monkeypatch)
    other = SETTINGS.model_copy(update={"learning_rate": 0.5, "early_stopping": None})
    with pytest.raises(RunError) as raised:
        run(tiny_model, tmp_path, other, dataclasses.replace(CPU, seed=6))
    said = str(raised.value)
    assert "step-00000004: training.learning_rate was 0.001, and is 0.5" in said
    assert "training.early_stopping.patience was 3, and is not set" in said
    assert "seed was 5, and is 6" in said
    assert "A run goes on only as it began" in said
    assert "weight_decay" not in said


def test_a_run_that_goes_on_with_other_data_is_refused(tiny_model, tmp_path, monkeypatch) -> None:
    stopped(tiny_model, tmp_path, monkeypatch)
    changed = features(24)
    changed[3].outputs[0][0] += 1
    with pytest.raises(RunError, match=r"train_data was 24 prompts, \w{12}, and is 24 prompts, \w{12}"):
        run(tiny_model, tmp_path, data=changed)
    with pytest.raises(RunError, match=r"validation_data was 6 prompts, \w{12}, and is 5 prompts"):
        run(tiny_model, tmp_path, validation=features(6, seed=2)[:5])


def test_what_the_caller_adds_is_compared_too(tiny_model, tmp_path, monkeypatch) -> None:
    with_rank = lambda rank: dataclasses.replace(CPU, made_with={"tuning": {"rank": rank}})  # noqa: E731
    stopped(tiny_model, tmp_path, monkeypatch, setting=with_rank(4))
    with pytest.raises(RunError, match=r"tuning\.rank was 4, and is 8"):
        run(tiny_model, tmp_path, setting=with_rank(8))


def test_a_refused_run_can_be_taken_up_again_as_it_began(tiny_model, tmp_path, monkeypatch) -> None:
    run(tiny_model, tmp_path / "whole")
    stopped(tiny_model, tmp_path / "cut", monkeypatch)
    with pytest.raises(RunError):
        run(tiny_model, tmp_path / "cut", SETTINGS.model_copy(update={"learning_rate": 0.5}))
    run(tiny_model, tmp_path / "cut")
    assert curve(tmp_path / "cut") == curve(tmp_path / "whole")


def test_what_changes_only_the_rounding_is_told_and_the_run_goes_on(tiny_model, tmp_path, monkeypatch) -> None:
    stopped(tiny_model, tmp_path, monkeypatch)
    told, threads = Told(), torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        _, state = run(tiny_model, tmp_path, setting=PACKED, progress=told)
    finally:
        torch.set_num_threads(threads)
    assert state.step == 6
    said = "the run goes on, but not to the bit as it would have"
    assert f"num_threads was {threads} and is {threads + 1}: {said}" in told.lines
    assert f"packed was False and is True: {said}" in told.lines


def test_a_run_that_ran_out_of_memory_may_go_on_in_smaller_passes(tiny_model, tmp_path, monkeypatch) -> None:
    run(tiny_model, tmp_path / "whole")
    stopped(tiny_model, tmp_path / "cut", monkeypatch)
    told, size = Told(), SETTINGS.micro_batch_size
    smaller = SETTINGS.model_copy(update={"micro_batch_size": 1, "gradient_checkpointing": True})
    run(tiny_model, tmp_path / "cut", smaller, progress=told)
    assert any(f"training.micro_batch_size was {size} and is 1: the run goes on" in line for line in told.lines)
    assert read_metrics(tmp_path / "cut" / "metrics.jsonl")[-1]["step"] == 6


def test_how_often_a_run_logs_and_saves_may_change(tiny_model, tmp_path, monkeypatch) -> None:
    stopped(tiny_model, tmp_path, monkeypatch)
    told = Told()
    other = SETTINGS.model_copy(update={"save_steps": 1, "logging_steps": 2, "save_minutes": 5.0})
    run(tiny_model, tmp_path, other, progress=told)
    assert not [line for line in told.lines if " was " in line]


def test_the_state_names_versions_threads_packing_and_data(tiny_model, tmp_path) -> None:
    _, state = run(tiny_model, tmp_path, setting=PACKED)
    saved = json.loads((tmp_path / "checkpoints" / "step-00000006" / "state.json").read_text())["made_with"]
    assert saved == state.made_with
    assert saved["packed"] is True
    assert saved["torch"] == torch.__version__
    assert saved["num_threads"] == torch.get_num_threads()
    assert saved["train_data"] == data_hash(features(24))


def test_the_hash_of_data_tells_order_outputs_and_weights_apart() -> None:
    one, two, three = features(3)
    known = {data_hash([one, two, three]), data_hash([two, one, three]), data_hash([one, two])}
    known.add(data_hash([one, two, dataclasses.replace(three, weights=[0.4, 0.6])]))
    known.add(data_hash([one, two, dataclasses.replace(three, outputs=three.outputs[::-1])]))
    assert len(known) == 5
    assert data_hash([one, two, three]) in known
