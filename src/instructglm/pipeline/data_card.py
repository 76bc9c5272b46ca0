"""What a report says of a dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from instructglm.core.ledger import LedgerEntry
from instructglm.core.records import Example
from instructglm.data.dataset import Manifest
from instructglm.data.split import Splits
from instructglm.report.contents import AgreementSummary, DataCard, SourceCard, TaskCard


def make_data_card(
    manifest: Manifest, splits: Splits, ledger: Sequence[LedgerEntry], agreement: tuple[AgreementSummary, ...]
) -> DataCard:
    """Sources, tasks per split, the ledger and the annotators' agreement."""
    tasks = dict.fromkeys(example.task for examples in splits.values() for example in examples)
    return DataCard(
        name=manifest.name,
        hash=manifest.hash,
        sources=tuple(SourceCard(**file.model_dump()) for file in manifest.files),
        tasks=tuple(_task_card(task, splits) for task in tasks),
        ledger_counts=manifest.ledger_counts,
        ledger=tuple(ledger),
        agreement=agreement,
    )


def _task_card(task: str, splits: Splits) -> TaskCard:
    of_task = {
        split.value: [example for example in examples if example.task == task] for split, examples in splits.items()
    }
    everything = [example for examples in of_task.values() for example in examples]
    choices = tuple(dict.fromkeys(choice for example in everything for choice in example.choices))
    return TaskCard(
        task=task,
        kind="closed" if choices else "open",
        choices=choices,
        num_examples={split: len(examples) for split, examples in of_task.items()},
        num_outputs={split: sum(len(example.outputs) for example in examples) for split, examples in of_task.items()},
        answers={split: _answers(examples) for split, examples in of_task.items()} if choices else {},
    )


def _answers(examples: Sequence[Example]) -> dict[str, int]:
    """Answer -> how many examples accept it, most frequent first."""
    counts = Counter(reference for example in examples for reference in example.references)
    return dict(counts.most_common())
