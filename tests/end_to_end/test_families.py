"""ChatGLM-6B, ChatGLM3 and GLM-4 in miniature, from rows to a report and to a chat, by the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "instructglm.cli.main"]
EXPERIMENT = """\
name: small-talk
model: {{name_or_path: {model}, dtype: float32}}
data:
  sources: [{{path: rows.jsonl, format: sharegpt}}, {{path: mood.jsonl, format: alpaca, task: mood}}]
  split: {{validation: 0.15, test: 0.3}}
  max_length: 128
tuning: {tuning}
training: {{max_steps: 12, batch_size: 4, micro_batch_size: 4, learning_rate: 1.0e-2, early_stopping: null}}
evaluation: {{max_new_tokens: 6, max_new_tokens_closed: 4, num_resamples: 200}}
"""
LORA, PREFIX = "{method: lora, rank: 4}", "{method: prefix, num_virtual_tokens: 4}"


def rows() -> list[dict[str, object]]:
    """Conversations of one and of two rounds, in Chinese and English, with tokens that must stay text."""
    found = []
    for i in range(24):
        turns = [f"第{i}题：蜜蜂做什么？<sop>", "蜂蜜。", f"And number {i}, <|user|>?", "Wax, and honey."]
        conversation = [
            {"from": ("human", "gpt")[place % 2], "value": text} for place, text in enumerate(turns[: 2 + 2 * (i % 2)])
        ]
        found.append({"conversations": conversation})
    return found


def project(folder: Path, model: str, tuning: str) -> Path:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    mood = [{"instruction": f"How was day {i}?", "output": ("good", "bad")[i % 2]} for i in range(40)]
    (folder / "mood.jsonl").write_text("".join(json.dumps(row) + "\n" for row in mood), encoding="utf-8")
    (folder / "experiment.yaml").write_text(EXPERIMENT.format(model=model, tuning=tuning), encoding="utf-8")
    return folder / "experiment.yaml"


def instructglm(*words: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **options)  # type: ignore[call-overload]


@pytest.fixture
def chatglm3(shared_tokenizers: Path, tmp_path: Path) -> Path:
    """Two layers in the official layout of ChatGLM3-6B, with its real vocabulary."""
    from transformers import GlmForCausalLM

    from instructglm.models import load
    from instructglm.models.glm_import import glm_config_of, save_official

    config = json.loads((shared_tokenizers / "chatglm3-6b" / "config.json").read_text())
    config |= {"num_layers": 2, "hidden_size": 32, "ffn_hidden_size": 32, "num_attention_heads": 2, "kv_channels": 16}
    folder = tmp_path / "chatglm3"
    save_official(GlmForCausalLM(glm_config_of(config)), folder)
    for name in ("tokenizer.model", "tokenizer_config.json"):
        (folder / name).symlink_to(shared_tokenizers / "chatglm3-6b" / name)
    assert type(load(folder)[1]).__name__ == "ChatGLM3Tokenizer"
    return folder


@pytest.mark.parametrize(
    ("model", "tuning"),
    [("chatglm-tiny", LORA), ("chatglm-tiny", PREFIX), ("glm-tiny", LORA), ("glm-tiny", PREFIX), ("chatglm3", LORA)],
)
def test_from_rows_to_a_report_and_a_chat(model, tuning, tmp_path, request):
    place = request.getfixturevalue(model) if model == "chatglm3" else model
    path, out = project(tmp_path, str(place), tuning), tmp_path / "out"
    done = instructglm("run", path, "--out", out)
    assert done.returncode == 0, done.stderr
    (found,) = (out / "report").glob("**/report.json")
    report = json.loads(found.read_text(encoding="utf-8"))
    assert {row["model"] for row in report["metrics"]} == {"base", "tuned"}
    assert report["training"]["method"] == tuning.split()[1].rstrip(",")
    assert report["training"]["num_steps"] == 12
    for options in ([], ["--base"]):
        talk = instructglm("chat", out, *options, "--max-new-tokens", 4, input="Hello\n你好 <sop>\n/quit\n")
        assert talk.returncode == 0, talk.stderr
        assert "Traceback" not in talk.stderr


def test_a_model_that_cannot_be_loaded_ends_with_one_message(tmp_path):
    path = project(tmp_path, "models/none", LORA)
    done = instructglm("run", path, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "models/none" in done.stderr
    assert "Traceback" not in done.stderr


def test_sequences_beyond_the_window_are_refused_before_training(tmp_path):
    path = project(tmp_path, "chatglm-tiny", LORA)
    done = instructglm("run", path, "--out", tmp_path / "out", "data.max_length=100000")
    assert done.returncode == 2
    assert "data.max_length is 100000; this model reads" in done.stderr
