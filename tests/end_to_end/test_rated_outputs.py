"""Several rated outputs of each prompt, steps counted in tokens: from file to weights, with nothing lost in silence."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from instructglm import pipeline
from instructglm.config.loading import load_experiment
from instructglm.core.errors import DataError
from instructglm.core.progress import SilentProgress
from instructglm.core.workspace import Workspace
from instructglm.pipeline.run_manifest import read_run
from instructglm.training.metrics_log import read_metrics

BUDGET = 150
EXPERIMENT = """\
name: rated
model: {{name_or_path: {model}, dtype: float32, device: cpu}}
data: {{sources: [{{path: rated.jsonl}}], split: {{validation: 0.2, test: 0.1}}, max_length: 128}}
tuning: {{method: full}}
training: {{tokens_per_batch: {budget}, num_train_epochs: 1.5, learning_rate: 1e-3}}
"""


class Heard(SilentProgress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture(scope="module")
def project(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty prompts: of each four, one is not rated, one ties, and two have a best output."""
    folder = tmp_path_factory.mktemp("rated")
    ratings = [[4, 2, None], [3, [2, 4], 1], [None, None, None], [[1, 2], None, 5]]
    rows = [
        {
            "instruction": f"Greet guest {number}.",
            "output": [
                {"text": f"{word} {number}."} | ({"rating": rating} if rating else {})
                for word, rating in zip(("Hello", "Hi there", "Good day"), ratings[number % 4], strict=True)
            ],
        }
        for number in range(40)
    ]
    (folder / "rated.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "experiment.yaml").write_text(EXPERIMENT.format(model=tiny_model, budget=BUDGET))
    return folder


def train(project: Path, out: Path, *overrides: str):
    """The run's folder, its manifest, what was left out for being outranked, and what was said."""
    heard = Heard()
    experiment = load_experiment(project / "experiment.yaml", overrides)
    pipeline.train(experiment, project, out, heard, "instructglm train experiment.yaml")
    folder = out / Workspace(out).read_latest().run
    ledger = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
    return folder, read_run(folder).training, [entry for entry in ledger if entry["reason"] == "outranked"], heard.said


def test_steps_hold_a_budget_of_tokens_and_every_output(project, tmp_path):
    folder, training, outranked, said = train(project, tmp_path)
    steps = [line for line in read_metrics(folder / "metrics.jsonl") if "num_input_tokens" in line]
    assert all(line["num_input_tokens"] <= BUDGET for line in steps)
    assert training.num_epochs >= 1.5
    assert steps[-1]["epoch"] == pytest.approx(training.num_epochs, abs=1e-3)
    assert training.settings["num_train_sequences"] == 3 * training.settings["num_train_prompts"]
    assert (outranked, [line for line in said if "output_weights" in line]) == ([], [])
    saved = load_experiment(folder / "experiment.yaml").training
    assert (saved.batch_size, saved.tokens_per_batch, saved.micro_batch_size) == (None, BUDGET, None)


def test_only_the_best_is_trained_and_the_others_are_named(project, tmp_path):
    _, training, outranked, said = train(project, tmp_path, "training.output_weights=best")
    lost = Counter(entry["row"] for entry in outranked)
    for row, count in lost.items():
        kind = (int(row.rpartition(":")[2]) - 1) % 4
        assert count == {0: 2, 1: 1, 3: 2}[kind]
    told = [line for line in said if line.startswith("output_weights: best: ")]
    assert sum(int(line.split()[2]) for line in told if "left out" in line) == len(outranked)
    assert any("have several outputs and no rating: all of theirs count the same" in line for line in told)
    prompts, sequences = (training.settings[f"num_train_{name}"] for name in ("prompts", "sequences"))
    assert prompts < sequences < 3 * prompts


def test_rules_differ_in_their_loss_from_the_first_step(project, tmp_path):
    first = {
        rule: read_metrics(train(project, tmp_path / rule, f"training.output_weights={rule}")[0] / "metrics.jsonl")
        for rule in ("given", "equal", "rating")
    }
    losses = {
        next(line["train_loss_nats_per_token"] for line in lines if "grad_norm" in line) for lines in first.values()
    }
    assert len(losses) == 3


def test_a_prompt_over_the_budget_goes_by_the_rule(project, tmp_path):
    with pytest.raises(DataError, match=r"rated\.jsonl:\d+: \d+ tokens with all its outputs") as caught:
        train(project, tmp_path, "training.tokens_per_batch=10")
    assert "data.overlong" in caught.value.hint
    with pytest.raises(DataError, match="no training example is left"):
        train(project, tmp_path, "training.tokens_per_batch=10", "data.overlong=drop")
