"""What stands in a snapshot's `manifest.json`, and whether its files are still as they were frozen.

Needs no database: what trains on a snapshot reads it here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from instructglm.annotation.snapshot.ledger import LedgerCounts
from instructglm.annotation.snapshot.options import Options
from instructglm.core.errors import DataError
from instructglm.core.ids import file_hash
from instructglm.core.records import Record, read_record

FORMAT_VERSION: Literal[1] = 1
MANIFEST, CARD = "manifest.json", "card.md"
EXAMPLES, PREFERENCES, LEDGER = "examples.jsonl", "preferences.jsonl", "ledger.jsonl"
_FREEZE_ANEW = "Freeze it anew: remove its folder and run `instructglm annotate snapshot` with the same options."


class Coverage(Record):
    """Of the instructions with one value of a column (`domain`, `language`, ...), how many are in."""

    column: str
    value: str
    num_instructions: int
    num_accepted: int


class PreferenceCounts(Record):
    """`num_pairs` are written; of the others that were compared, why not, and how many."""

    num_pairs: int
    by: dict[str, int]
    left_out: dict[str, int]


class Summary(Record):
    """What a snapshot holds and what it left out. `event` is the log's, as NUMBER:HASH."""

    name: str
    project: str
    event: str
    options: Options
    num_instructions: int
    """Of the project, those that were withdrawn included."""
    num_examples: int
    num_closed: int
    num_outputs: int
    decided_by: dict[str, int]
    origins: dict[str, int]
    """Of the accepted outputs: label, person, edited, model, imported."""
    left_out: LedgerCounts
    preferences: PreferenceCounts
    coverage: tuple[Coverage, ...]
    num_unusable_ratings: int
    """By a criterion that is no longer asked for, or off its scale as it is now."""
    num_counted_labels: int
    """Questions whose votes were counted, because too few have the same choices."""
    warnings: tuple[str, ...]


class Figure(Record):
    """A coefficient of agreement with its interval at 95 %; None where there is none, and `note` says why."""

    value: float | None
    low: float | None
    high: float | None
    num_items: int
    num_judgements: int
    note: str


class AgreementFigures(Record):
    """How far people agree in `subject` (labels of a task, ratings by a criterion), in all of it or a part."""

    subject: str
    part: str
    num_annotators: int
    percent: Figure
    alpha: Figure
    gwet_ac: Figure


class AnnotatorFigures(Record):
    """How far one person can be relied on, under a pseudonym; None: they gave no such judgement.

    `label_accuracy` is the expected share of right labels. `rating_bias` is in points of a scale from 1 to 5 above the
    mean, `rating_weight` what their ratings count beside an average person's.
    """

    annotator: str
    num_labels: int
    label_accuracy: float | None
    num_shared_ratings: int
    rating_bias: float | None
    rating_weight: float | None


class Manifest(Record):
    """What a snapshot was made of. Holds no date of its making: equal states and options give equal bytes."""

    snapshot_format: Literal[1] = FORMAT_VERSION
    summary: Summary
    event_ms: int
    """When the last event was, in milliseconds since 1970."""
    files: dict[str, str]
    """Name -> SHA-256."""
    criteria: dict[str, tuple[int, int]]
    """The scales that the project asked for, lowest and highest."""
    num_answers_by_round: dict[str, int]
    num_answers_by_guideline: dict[str, int]
    num_annotators: int
    """Who said something that holds or held in an earlier round."""
    num_reviewers: int
    num_reviewed: int
    """Instructions with a reviewer's verdict."""
    agreement: tuple[AgreementFigures, ...]
    num_subjects_untold: int
    """Tasks with labels whose agreement is not told, there being too many."""
    annotators: tuple[AnnotatorFigures, ...]


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a snapshot.

    Raises:
        StorageError: it is missing or damaged.
    """
    return read_record(folder / MANIFEST, Manifest, hint=_FREEZE_ANEW)


def is_whole(folder: Path) -> bool:
    """Whether a finished snapshot stands here whose files are as they were frozen."""
    if not (folder / MANIFEST).exists():
        return False
    files = read_manifest(folder).files
    return all((folder / name).is_file() and file_hash(folder / name) == sha256 for name, sha256 in files.items())


def frozen_origin(path: Path, shown: str) -> str:
    """What a file of a snapshot was taken of, once it is seen to be as it was frozen; nothing for any other file.

    Raises:
        DataError: the file was changed, or the manifest beside it is damaged or of another version.
    """
    manifest = _manifest_of(path, shown)
    expected = manifest.files.get(path.name) if manifest else None
    if manifest is None or expected is None:
        return ""
    if (found := file_hash(path)) != expected:
        raise DataError(
            f"{shown}: was changed after it was frozen: found SHA-256 {found[:12]}…, "
            f"expected {expected[:12]}… as {MANIFEST} beside it says",
            hint=f"{_FREEZE_ANEW} To train on changed examples, copy the file to a folder of its own.",
        )
    number, _, digest = manifest.summary.event.partition(":")
    return f"annotations of {manifest.summary.project}, frozen after event {number}:{digest[:12]}"


def _manifest_of(path: Path, shown: str) -> Manifest | None:
    """The manifest of the snapshot whose examples these are; None where they are no snapshot's."""
    beside = path.with_name(MANIFEST)
    if path.name != EXAMPLES or not beside.is_file():
        return None
    try:
        return Manifest.model_validate_json(beside.read_bytes())
    except (OSError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise DataError(f"{shown}: {MANIFEST} beside it cannot be read: {first}", hint=_FREEZE_ANEW) from error
