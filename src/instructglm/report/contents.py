"""What a report says, as data: `report.json` is this, and the page is drawn from it alone."""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue

from instructglm.core.ledger import LedgerEntry
from instructglm.core.records import ComparisonRow, Message, MetricRow, Record
from instructglm.report.estimate import Estimate


class AgreementSummary(Record):
    """How far the annotators of one task agree.

    `alpha` is Krippendorff's, None where it is undefined (and `note` says why).
    """

    task: str
    num_items: int
    num_ratings: int
    num_annotators_min: int
    num_annotators_max: int
    alpha: float | None
    alpha_low: float | None
    alpha_high: float | None
    level: str
    """Of measurement: nominal, ordinal or interval."""
    note: str
    rating_histogram: dict[str, int]
    """Rating -> how often it was given."""
    split_items: tuple[SplitItem, ...]
    """The items on which the raters differ most."""


class SplitItem(Record):
    """One text whose ratings lie far apart."""

    row: str
    text: str
    ratings: tuple[float, ...]
    outcome: str
    """The answer it was given, or why it was left out."""


class SourceCard(Record):
    """One file that was read."""

    path: str
    sha256: str
    format: str
    task: str
    num_rows: int
    origin: str = ""
    """Of a frozen snapshot: what it was taken of."""


class TaskCard(Record):
    """One task of the dataset: examples per split and, where closed, answers per split."""

    task: str
    kind: str
    """`closed` or `open`."""
    choices: tuple[str, ...]
    num_examples: dict[str, int]
    num_outputs: dict[str, int]
    answers: dict[str, dict[str, int]]
    """Split -> answer -> count; empty for an open task."""


class DataCard(Record):
    """The dataset, and the account of what did not reach training."""

    name: str
    hash: str
    sources: tuple[SourceCard, ...]
    tasks: tuple[TaskCard, ...]
    ledger_counts: dict[str, int]
    ledger: tuple[LedgerEntry, ...]
    """Every entry, row by row."""
    agreement: tuple[AgreementSummary, ...] = ()


class CurvePoint(Record):
    """A loss in nats per trained token, after so many optimizer steps."""

    step: int
    loss: float


class Gap(Record):
    """How far validation lies above training at one step: both losses in nats per trained token.

    The train loss is a mean over the trained tokens of the steps since the check
    before, each taken on its batch before the step, with dropout where there is
    any; so the gap of the weights themselves is, if anything, larger.
    """

    step: int
    train_loss: float
    validation_loss: float
    num_steps: int
    """Of the mean."""


class MetricCurve(Record):
    """A task metric on the validation sample, at every check."""

    metric: str
    num_items: int
    steps: tuple[int, ...]
    values: tuple[float, ...]
    """Between 0 and 1, one for each of `steps`."""


class TrainingCard(Record):
    """What training did."""

    method: str
    num_trainable_parameters: int
    num_parameters: int
    num_steps: int
    num_epochs: float
    num_train_tokens: int
    """Tokens that carried a label, over all steps."""
    num_input_tokens: int
    """All tokens that were read, padding not counted."""
    seconds: float
    train_curve: tuple[CurvePoint, ...]
    validation_curve: tuple[CurvePoint, ...]
    best_step: int
    stopped_early: bool
    verdict: str
    """In words: converged, still falling, or overfitting since which step."""
    settings: dict[str, JsonValue]
    resumed_at: tuple[int, ...] = ()
    """Steps at which training went on after an interruption."""
    gap: Gap | None = None
    """At `best_step`; None before the first step, or without validation."""
    metric_curves: tuple[MetricCurve, ...] = ()
    estimate: Estimate | None = None
    """What was told of the run at its start."""
    peak_memory: int | None = None
    """Bytes at once, beyond what the process held before the model was loaded."""
    memory_measure: Literal["allocated", "resident"] | None = None
    """What `peak_memory` counts: what torch had allocated on an accelerator, or the resident set of the process."""


class Confusion(Record):
    """Counts of one model on one closed task; rows are references, columns are predictions."""

    task: str
    model: str
    scoring: str
    """`likelihood` or `generation`; the latter has a last column `unparsed`."""
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class Unscored(Record):
    """How many items of a task a model gave no prediction for, and why. They are in no figure's n."""

    model: str
    task: str
    reason: str
    num_items: int


class Answer(Record):
    """What one model said to one item.

    `correct` is None on an open task, which has `score` (ROUGE-L, 0 to 1) instead.
    """

    model: str
    text: str
    choice: str | None = None
    """The most likely choice of a closed task."""
    parsed: str | None = None
    """The choice read from `text`; None where it could not be read."""
    correct: bool | None = None
    score: float | None = None


class Sample(Record):
    """One test item with all models' answers side by side."""

    task: str
    example_id: str
    row: str
    messages: tuple[Message, ...]
    references: tuple[str, ...]
    answers: tuple[Answer, ...]


class Environment(Record):
    """Where and how the figures came about."""

    command: str
    """The command that makes them again."""
    seed: int
    device: str
    dtype: str
    num_threads: int
    packages: dict[str, str]
    python: str
    platform: str
    git_revision: str | None
    model: str
    experiment: str
    """The resolved experiment file, as YAML."""
    stage_seconds: dict[str, float]


class Report(Record):
    """All of `report.json`. `headline` are the sentences a reader should take away, most important first."""

    format_version: int = 1
    title: str
    headline: tuple[str, ...]
    metrics: tuple[MetricRow, ...]
    comparisons: tuple[ComparisonRow, ...]
    definitions: dict[str, str]
    """Metric -> what it measures, in one sentence."""
    confidence: float
    data: DataCard
    training: TrainingCard | None
    confusions: tuple[Confusion, ...]
    samples: tuple[Sample, ...]
    environment: Environment
    unscored: tuple[Unscored, ...] = ()


AgreementSummary.model_rebuild()
