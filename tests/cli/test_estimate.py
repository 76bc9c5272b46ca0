"""`estimate` from outside, next to the run that it tells of."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from instructglm.models.memory import DeviceMemory
from instructglm.pipeline.run_manifest import read_run
from instructglm.report.contents import TrainingCard
from instructglm.report.estimate import Estimate
from instructglm.report.numerals import size
from instructglm.training.batches import Batch
from instructglm.training.loss import StepLoss

EXPERIMENT = """\
name: mood
model: {{name_or_path: {model}, dtype: float32}}
data:
  sources: [{{path: rows.jsonl, format: alpaca, task: mood}}]
  split: {{validation: 0.15, test: 0.2}}
  max_length: 64
tuning: {{method: lora}}
training: {{max_steps: 13, num_train_epochs: 100, batch_size: 4, micro_batch_size: 2, save_steps: 1, eval_steps: 5,
           early_stopping: null}}
"""
METHODS = {
    "lora": (),
    "full": ("tuning={method: full}",),
    "freeze": ("tuning={method: freeze, num_layers: 1}",),
    "prefix": ("tuning={method: prefix, num_virtual_tokens: 4}",),
}


@pytest.fixture
def experiment(tmp_path: Path, tiny_model: Path) -> Path:
    rows = [
        {"instruction": "How is " + "very " * (i % 5) + f"{i}?", "output": ["good", "bad"][i % 2]} for i in range(60)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = tmp_path / "experiment.yaml"
    path.write_text(EXPERIMENT.format(model=tiny_model))
    return path


@pytest.fixture
def ask(cli: Any, experiment: Path) -> Any:
    """A command on the experiment, its results in `out` beside it."""
    return lambda name, *more: cli(name, experiment, "--out", experiment.parent / "out", *more)


def told(done: Any) -> dict[str, Any]:
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def card(experiment: Path) -> TrainingCard:
    (manifest,) = (experiment.parent / "out" / "runs").glob("*/run.json")
    return read_run(manifest.parent).training


@pytest.mark.parametrize("method", METHODS)
def test_what_is_told_comes_true(ask: Any, experiment: Path, method: str) -> None:
    found = told(ask("estimate", "--json", *METHODS[method]))
    assert ask("train", *METHODS[method]).code == 0
    run, estimate = card(experiment), found["estimate"]
    assert estimate["num_trainable_parameters"] == run.num_trainable_parameters
    assert estimate["num_parameters"] == run.num_parameters
    assert estimate["workload"]["num_steps"] == run.num_steps == 13
    assert estimate["workload"]["num_input_tokens"] == run.num_input_tokens
    assert estimate["workload"]["num_trained_tokens"] == run.num_train_tokens
    assert estimate["missing"] == {}
    assert (found["probe"], found["cost"]) == (None, None)
    assert run.peak_memory is not None
    assert run.peak_memory > run.estimate.memory.weights
    assert run.estimate.memory.model_dump() == estimate["memory"]


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_of_two_processes_what_one_takes_is_told(ask: Any, strategy: str) -> None:
    two = f"training.distributed={{strategy: {strategy}, processes: 2}}"
    found, alone = told(ask("estimate", two, "--json"))["estimate"], told(ask("estimate", "--json"))["estimate"]
    assert (found["strategy"], found["num_processes"]) == (strategy, 2)
    assert (found["memory"]["total"] is None) == (strategy == "fsdp")
    assert (found["memory"]["weights"] < alone["memory"]["weights"]) == (strategy == "fsdp")
    shown = ask("estimate", two, "--probe").out
    assert "All this is of one of 2 processes: each has" in shown
    assert "That is one process alone; how fast 2 are that share the steps is not known." in shown
    assert ("memory.step: not known: beside the parts, fsdp holds" in shown) == (strategy == "fsdp")


def test_the_table_names_every_part_and_guesses_no_time(ask: Any) -> None:
    done = ask("estimate", "--price-per-hour", "2.5")
    assert done.code == 0, done.err
    for words in ("weights", "gradients", "optimizer state", "activations", "logits and loss", "backward pass"):
        assert f"\n{words}  " in done.out
    assert "Time: not known without real steps: run with --probe." in done.out
    assert "Cost: not known without real steps: run with --probe." in done.out


def test_what_does_not_fit_is_told_with_the_next_move(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = told(ask("estimate", "--json"))["estimate"]["memory"]
    standing = max(memory["loading"], memory["weights"] + memory["gradients"] + memory["optimizer"])
    for has, advice in ((standing, "lower training.micro_batch_size"), (standing - 1, "tune fewer weights")):
        here = DeviceMemory(has, has)
        monkeypatch.setattr("instructglm.training.estimate.device_memory", lambda _, here=here: here)
        assert f"It does not fit: {'whatever the batch is, ' * (has < standing)}{advice}" in ask("estimate").out
    refused = ask("estimate", "--probe")
    assert refused.code == 2
    assert "no probe: one prompt at a time takes" in refused.err
    assert "this run is estimated to take" in ask("train").err


def test_a_probe_tells_time_and_cost_and_leaves_no_run(ask: Any, experiment: Path) -> None:
    found = told(ask("estimate", "--probe", "--price-per-hour", "7200", "--json"))
    assert found["cost"] == pytest.approx(2 * found["probe"]["seconds"])
    assert found["probe"]["value"] == 2
    assert found["probe"]["largest"] == 4
    assert {entry.name for entry in (experiment.parent / "out").iterdir()} == {"datasets", "latest.json"}
    shown = ask("estimate", "--probe", "--price-per-hour", "7200").out
    assert "resident set, sampled" in shown
    assert "largest micro_batch_size  4; a step has no more" in shown
    assert "at 7200 an hour." in shown


def test_a_budget_of_tokens_is_told_and_probed(ask: Any, experiment: Path) -> None:
    changes = ("training.batch_size=null", "training.micro_batch_size=null", "training.tokens_per_batch=160")
    changes += ("training.tokens_per_micro_batch=90", "training.eval_metrics={metrics: [accuracy]}")
    done = ask("estimate", "--probe", "--json", *changes)
    found = told(done)
    assert "the task metrics (training.eval_metrics) is not measured" in done.err
    assert found["probe"]["setting"] == "tokens_per_micro_batch"
    assert found["probe"]["value"] <= 90 <= found["probe"]["largest"] <= found["probe"]["whole_step"] <= 160
    assert ask("train", *changes).code == 0
    run, work = card(experiment), found["estimate"]["workload"]
    assert (work["num_steps"], work["num_input_tokens"]) == (run.num_steps, run.num_input_tokens)
    assert work["num_trained_tokens"] == run.num_train_tokens


def test_four_bits_are_told_without_activations_and_probed(ask: Any, experiment: Path) -> None:
    pytest.importorskip("bitsandbytes")
    changes = ("model.quantization_config={}", "model.dtype=bfloat16")
    found = told(ask("estimate", "--probe", "--json", *changes))
    assert list(found["estimate"]["missing"]) == ["memory.activations"]
    assert found["estimate"]["memory"]["total"] is None
    assert found["probe"]["peak_memory"] > 0
    assert ask("train", *changes).code == 0
    assert card(experiment).num_parameters == found["estimate"]["num_parameters"]
    assert re.search(r"at most at once +not known", ask("estimate", *changes).out)


def test_a_probe_compiles_where_training_does(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []

    def compile_layers(tuned: Any, features: Any, setting: Any) -> None:
        compiled.append((len(features), setting.packed))

    monkeypatch.setattr("instructglm.pipeline.training_run.compile_layers", compile_layers)
    done = ask("estimate", "--probe", "--json", "training.torch_compile=true")
    assert told(done)["probe"]["input_tokens_per_s"] > 0
    assert compiled == [(told(ask("estimate", "--json"))["estimate"]["workload"]["num_prompts"], True)]
    assert "compiling the layers" in done.err


def test_without_data_the_rest_is_told(ask: Any) -> None:
    missing = "data.sources[0].path=nowhere.jsonl"
    found = told(ask("estimate", missing, "--json"))["estimate"]
    assert found["workload"] is None
    assert "nowhere.jsonl: no such file" in found["missing"]["data"]
    assert found["memory"]["total"] > 0
    assert found["num_row_tokens"] == 2 * 64
    assert "Tokens and steps: not known" in ask("estimate", missing).out
    refused = ask("estimate", missing, "--probe")
    assert refused.code == 2
    assert "--probe trains on the real data" in refused.err


def test_without_a_tokenizer_the_rest_is_told(ask: Any, tiny_model: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "config.json").write_text((tiny_model / "config.json").read_text())
    found = told(ask("estimate", f"model.name_or_path={bare}", "--json"))["estimate"]
    assert "no tokenizer" in found["missing"]["tokenizer"]
    assert found["num_parameters"] > 0
    assert found["memory"]["activations"] > 0


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.batch_size=0", "training.batch_size"),
        ("training.num_train_epochs=0", "training.num_train_epochs"),
        ("training.micro_batch_sise=2", "training.micro_batch_sise"),
    ],
)
def test_faults_are_those_of_config_check(cli: Any, ask: Any, experiment: Path, override: str, message: str) -> None:
    checked = cli("config", "check", experiment, override)
    refused = ask("estimate", override)
    assert (refused.code, refused.err) == (checked.code, checked.err)
    assert refused.code == 2
    assert message in refused.err


def test_a_model_that_is_not_here_and_rows_longer_than_it_reads(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    absent = ask("estimate", "model.name_or_path=nobody/nothing")
    assert absent.code == 2
    assert "nobody/nothing: there is no such folder" in absent.err
    long = ask("estimate", "data.max_length=4096")
    assert long.code == 2
    assert "data.max_length is 4096; this model reads 512 tokens" in long.err


def test_a_run_out_of_memory_says_what_was_told_and_what_to_change(
    ask: Any, experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No accelerator is here to run out: its error is raised in the place of its third step."""
    passes, forward = iter(range(1000)), StepLoss.forward

    def full(self: StepLoss, batch: Batch) -> torch.Tensor:
        if self.training and next(passes) >= 4:  # two a step
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return forward(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(StepLoss, "forward", full)
        done = ask("train")
    assert done.code == 2
    assert "Traceback" not in done.err
    assert "out of memory in training: the estimate was " in done.err
    assert "The last checkpoint is intact." in done.err
    assert "(weights " in done.err
    assert "the device (cpu) has " in done.err
    for setting in ("training.micro_batch_size (it is 2)", "training.gradient_checkpointing", "data.max_length"):
        assert setting in done.err
    (partial,) = (experiment.parent / "out" / "runs").glob("*.partial")
    kept = Estimate.model_validate_json((partial / "estimate.json").read_text())
    assert f"the estimate was {size(kept.memory.total)} " in done.err
    assert [folder.name for folder in (partial / "checkpoints").glob("step-*")] == ["step-00000002"]
    again = ask("train")
    assert again.code == 0
    assert "training goes on from step 2 of 13" in again.err


def test_a_run_out_of_memory_in_its_first_step_speaks_of_no_checkpoint(
    ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: StepLoss, batch: Batch) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    monkeypatch.setattr(StepLoss, "forward", full)
    done = ask("train")
    assert done.code == 2
    assert "out of memory in training: the estimate was " in done.err
    assert "checkpoint is intact" not in done.err


def test_another_error_in_training_stays_what_it_is(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> torch.Tensor:
        raise RuntimeError("a bug")

    monkeypatch.setattr(StepLoss, "forward", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        ask("train")


def test_a_run_trains_on_where_nothing_can_be_told(ask: Any, experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("no such size")

    monkeypatch.setattr("instructglm.pipeline.training_run.estimate", refuse)
    done = ask("train")
    assert done.code == 0
    assert "no estimate of this run: no such size" in done.err
    assert card(experiment).estimate is None
