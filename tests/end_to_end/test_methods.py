"""Methods from the experiment file to the report, and the bad input that they meet, on the real command line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

pytestmark = pytest.mark.slow
SHORT = ("training.max_steps=4", "training.eval_steps=2")


def test_four_bits_with_an_optimizer_of_eight_from_training_to_the_report(project) -> None:
    pytest.importorskip("bitsandbytes")
    mood = project()
    few = ("model.quantization_config={load_in_4bit: true}", "training.optimizer=adamw_8bit", "tuning.use_dora=true")
    done = mood.run("run", *SHORT, *few, "training.lr_scheduler_type=cosine_with_restarts")
    assert done.returncode == 0, done.stderr
    assert "gemm_4bit_forward" not in done.stderr
    (run,) = mood.out.glob("runs/*/run.json")
    inputs = json.loads(run.read_text())["inputs"]
    assert inputs["quantization_config"]["load_in_4bit"] is True
    assert inputs["training"]["optimizer"] == "adamw_8bit"
    assert mood.run("train", *SHORT, *few[1:], "training.lr_scheduler_type=cosine_with_restarts").returncode == 0
    assert len(list(mood.out.glob("runs/*/run.json"))) == 2  # other bits are another run


def test_weights_that_are_no_numbers_are_told_before_training(project, refused, tiny_model, tmp_path) -> None:
    shutil.copytree(tiny_model, tmp_path / "broken")
    path = tmp_path / "broken" / "model.safetensors"
    weights = load_file(path)
    weights["model.norm.weight"][0] = torch.nan
    save_file(weights, path, metadata={"format": "pt"})
    mood = project()
    done = mood.run("train", f"model.name_or_path={tmp_path / 'broken'}")
    refused(done, "model.norm.weight holds 1 weights that are NaN or infinite, of 32", "get it anew")
    assert "step" not in done.stdout


def test_an_adapter_is_not_talked_to_on_other_weights(project, refused, tiny_model, tmp_path) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_model, base)
    mood = project()
    assert mood.run("train", *SHORT, f"model.name_or_path={base}").returncode == 0
    weights = load_file(base / "model.safetensors")
    save_file({name: weight + 1.0 for name, weight in weights.items()}, base / "model.safetensors")
    words = [sys.executable, "-m", "instructglm.cli.main", "chat", str(mood.out)]
    done = subprocess.run(words, input="hello\n", capture_output=True, text=True, check=False, timeout=120)
    refused(done, f"trained on {base}; the base is now {base}, and its weights are others (model.safetensors)")
