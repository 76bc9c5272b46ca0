"""Everything -> comparisons and the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from instructglm.core.files import write_text
from instructglm.core.ids import canonical_json
from instructglm.core.ledger import LedgerEntry
from instructglm.core.records import ComparisonRow, Example, Prediction, Split, read_record
from instructglm.core.workspace import Workspace
from instructglm.data.dataset import read_examples, read_ledger
from instructglm.evaluation.samples import samples
from instructglm.evaluation.score import Scores
from instructglm.evaluation.verdict import DEFINITIONS
from instructglm.pipeline.data_stage import CARD
from instructglm.pipeline.environment import describe_environment
from instructglm.pipeline.evaluation_stage import SCORES, read_all_predictions
from instructglm.pipeline.job import Job
from instructglm.pipeline.run_manifest import read_run
from instructglm.report.contents import DataCard, Report
from instructglm.report.files import write_report


def read_scores(folder: Path) -> Scores:
    """The scores of a finished evaluation.

    Raises:
        StorageError: they are missing or damaged.
    """
    return read_record(folder / SCORES, Scores, hint="Remove this file and run the command again.")


def write_comparisons(workspace: Workspace, evaluation: Path) -> list[Path]:
    """One file for each pair of models."""
    pairs: dict[tuple[str, str], list[ComparisonRow]] = {}
    for row in read_scores(evaluation).comparisons:
        pairs.setdefault((row.a, row.b), []).append(row)
    paths = []
    for (a, b), rows in pairs.items():
        paths.append(workspace.comparisons / f"{a}--{b}.json")
        write_text(paths[-1], canonical_json([row.model_dump() for row in rows]) + "\n")
    return paths


def write_whole_report(job: Job, dataset: Path, run: Path, evaluation: Path) -> Path:
    """The path of the page; `report.json` lies beside it and holds all of it."""
    settings = job.experiment.evaluation
    scores = read_scores(evaluation)
    training = read_run(run).training
    examples = read_examples(dataset, Split.TEST)
    predictions = read_all_predictions(evaluation, settings)
    report = Report(
        title=job.experiment.title or job.experiment.name,
        headline=(*_verdicts(scores), training.verdict),
        metrics=scores.metrics,
        comparisons=scores.comparisons,
        definitions=DEFINITIONS,
        confidence=settings.confidence,
        data=_data_card(dataset, [*read_ledger(run), *_cut_questions(examples, predictions)]),
        training=training,
        confusions=scores.confusions,
        samples=samples(examples, predictions),
        environment=describe_environment(job),
        unscored=scores.unscored,
    )
    return write_report(report, job.workspace.report)


def _verdicts(scores: Scores) -> list[str]:
    """One sentence for each task and pair: accuracy where answers are a closed set, ROUGE-L where they are free."""
    sentences: dict[tuple[str, str, str], str] = {}
    for row in scores.comparisons:
        pair = (row.task, row.a, row.b)
        if pair not in sentences or row.metric == "rouge_l":
            sentences[pair] = row.verdict
    return list(sentences.values())


def _cut_questions(
    examples: Sequence[Example], predictions: Mapping[str, Sequence[Prediction]]
) -> Iterator[LedgerEntry]:
    """The test prompts that a model did not read whole."""
    rows = {example.id: example.row for example in examples}
    for model, predicted in predictions.items():
        for one in predicted:
            if one.num_prompt_tokens_cut:
                yield LedgerEntry(
                    row=rows[one.example_id],
                    reason="overlong",
                    detail=f"front of the test prompt, for {model}",
                    action="cut",
                    num_tokens=one.num_prompt_tokens_cut,
                    task=one.task,
                )


def _data_card(dataset: Path, encoding: list[LedgerEntry]) -> DataCard:
    """The dataset's card with what its encoding for this model left out added to the ledger."""
    card = read_record(
        dataset / CARD, DataCard, hint=f"Remove the folder {dataset} and run again: the dataset is built anew."
    )
    counts = dict(card.ledger_counts)
    for entry in encoding:
        counts[entry.reason] = counts.get(entry.reason, 0) + 1
    return card.model_copy(update={"ledger": (*card.ledger, *encoding), "ledger_counts": counts})
