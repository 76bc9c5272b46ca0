"""Every shipped experiment runs: as it is in the file, but on few examples and with a tiny model."""

from __future__ import annotations

from pathlib import Path

import pytest

from instructglm import pipeline
from instructglm.config.loading import load_experiment
from instructglm.core.progress import SilentProgress
from instructglm.report.contents import DataCard
from instructglm.report.files import read_report

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


def small(path: Path, model: Path) -> list[str]:
    """Overrides that leave the file's data and settings as they are, and take little of each."""
    sources = load_experiment(path).data.sources
    limits = [
        f"data.sources.{number}.limit.{split}={count}"
        for number in range(len(sources))
        for split, count in (("train", 8), ("validation", 4), ("test", 10))
    ]
    return [
        *limits,
        f"model.name_or_path={model}",
        "training.num_train_epochs=1",
        "evaluation.max_new_tokens=4",
        "evaluation.max_new_tokens_closed=4",
        "evaluation.num_resamples=200",
    ]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_to_its_report(path, tiny_model, tmp_path):
    experiment = load_experiment(path, small(path, tiny_model))
    page = pipeline.run(experiment, path.parent, tmp_path, SilentProgress(), "instructglm run")
    report = read_report(page.parent)
    for task in report.data.tasks:
        assert task.num_examples["test"] > 0
        assert {row.model for row in report.metrics if row.task == task.task} == {"base", "tuned"}
    accounted = sum(report.data.ledger_counts.values())
    assert accounted == len(report.data.ledger)


def test_quickstart_shows_how_far_the_raters_agree(tiny_model, tmp_path):
    """Figures of the real ratings: 14,313 texts, and the alpha that `annotation` was checked to compute."""
    path = next(path for path in EXAMPLES if path.stem == "quickstart")
    experiment = load_experiment(path, small(path, tiny_model))
    folder = pipeline.build(experiment, path.parent, tmp_path, SilentProgress())
    card = (folder / "card.json").read_text(encoding="utf-8")
    (agreement,) = DataCard.model_validate_json(card).agreement
    assert (agreement.num_items, agreement.num_ratings) == (14313, 272970)
    assert agreement.alpha == pytest.approx(0.804, abs=0.001)
    assert agreement.alpha_low < agreement.alpha < agreement.alpha_high
    assert len(agreement.split_items) == 10
