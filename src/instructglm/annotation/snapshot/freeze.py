"""Freezing what people accepted into files that train a model.

    snapshots/<project>-<hash>/
      examples.jsonl      every instruction that is in, with its accepted outputs or its label
      preferences.jsonl   pairs of outputs of which people preferred one (absent where there is none)
      ledger.jsonl        every instruction and output that is not in, and why
      manifest.json, card.md

The hash is that of the event of the log, the options and the format: the same state and options make the same bytes,
on every machine and on both databases.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from instructglm.annotation.aggregation import MODELS
from instructglm.annotation.snapshot.card import card_markdown
from instructglm.annotation.snapshot.figures import MAX_TASKS, agreement_figures, annotator_figures, subjects
from instructglm.annotation.snapshot.items import Item, Outcome
from instructglm.annotation.snapshot.ledger import LeftOut
from instructglm.annotation.snapshot.manifest import (
    CARD,
    EXAMPLES,
    FORMAT_VERSION,
    LEDGER,
    MANIFEST,
    PREFERENCES,
    AgreementFigures,
    Manifest,
    Summary,
    is_whole,
    read_manifest,
)
from instructglm.annotation.snapshot.options import Options
from instructglm.annotation.snapshot.preferences import Pair, pairs
from instructglm.annotation.snapshot.rows import as_name, example_of, preference_of
from instructglm.annotation.snapshot.state import State, read_state
from instructglm.annotation.snapshot.survey import Survey, outcomes, survey
from instructglm.annotation.snapshot.tally import Tally
from instructglm.annotation.store.store import Store
from instructglm.core.errors import DataError
from instructglm.core.files import staged_folder, write_text
from instructglm.core.ids import canonical_json, content_hash, file_hash
from instructglm.core.lookup import lookup
from instructglm.core.progress import Progress, SilentProgress
from instructglm.core.records import Record


class Snapshot(NamedTuple):
    """A snapshot on the disk; `is_new` is False where it stood there already, whole."""

    folder: Path
    manifest: Manifest
    is_new: bool

    @property
    def examples(self) -> Path:
        """The file that an experiment names as a source."""
        return self.folder / EXAMPLES


def freeze(
    store: Store,
    project: int,
    options: Options | None = None,
    *,
    out: Path,
    as_of: int | None = None,
    progress: Progress | None = None,
) -> Snapshot:
    """Write what is accepted of a project to a folder of its own under `out`; where it stands already, leave it.

    Args:
        store: where.
        project: whose.
        options: how much it takes to be in.
        out: the folder of snapshots.
        as_of: the state after this event of the log; None: as it stands.
        progress: where it is told how far it has come.

    Raises:
        ConfigError: there is no such label model.
        DataError: nothing is accepted, or there is no such project or event; nothing was written.
        StorageError: the disk is full, or the place may not be written.
    """
    options = options or Options()
    lookup("label model", options.label_model, MODELS)
    state = read_state(store, project, as_of)
    folder = out / snapshot_name(state, options)
    if is_whole(folder):
        return Snapshot(folder, read_manifest(folder), is_new=False)
    found = survey(state, options)
    with staged_folder(folder) as beside:
        summary = _write_rows(found, folder.name, beside, progress or SilentProgress())
        _refuse_empty(summary)
        manifest = _manifest(found, summary, beside)
        write_text(beside / CARD, card_markdown(manifest))
        write_text(beside / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
    return Snapshot(folder, manifest, is_new=True)


def preview(store: Store, project: int, options: Options | None = None, *, as_of: int | None = None) -> Summary:
    """What `freeze` would count, with nothing written; a snapshot of nothing is told like any other.

    Raises:
        ConfigError: there is no such label model.
        DataError: there is no such project or event.
    """
    options = options or Options()
    state = read_state(store, project, as_of)
    found, tally = survey(state, options), Tally()
    for _ in _settled(found, tally, SilentProgress()):
        pass
    return tally.summary(snapshot_name(state, options), found)


def snapshot_name(state: State, options: Options) -> str:
    """The name of the folder: the project, and a hash of all that decides what is in."""
    digest = content_hash(FORMAT_VERSION, state.name, state.head.spelled(), options.model_dump(mode="json"))
    return f"{as_name(state.name)}-{digest}"


def _settled(found: Survey, tally: Tally, progress: Progress) -> Iterator[tuple[str, Record]]:
    """Every row of every file as (file, row), counted on the way."""
    for gone in found.state.withdrawn:
        entry = LeftOut(instruction=gone.instruction, output=gone.output, reason="withdrawn", detail=gone.reason)
        tally.add_withdrawn(entry)
        yield LEDGER, entry
    with progress.stage("freeze", total=len(found.ids), unit="instruction") as bar:
        for item, outcome in outcomes(found):
            tally.add(item, outcome)
            yield from ((LEDGER, entry) for entry in outcome.left_out)
            if outcome.accepted:
                yield EXAMPLES, example_of(found.state, item, outcome)
                yield from _preferences(found.state, item, outcome, tally)
            bar.advance()


def _preferences(state: State, item: Item, outcome: Outcome, tally: Tally) -> Iterator[tuple[str, Record]]:
    for pair in pairs(item, outcome):
        tally.add_pair(pair)
        if isinstance(pair, Pair):
            yield PREFERENCES, preference_of(state, item, pair)


def _write_rows(found: Survey, name: str, folder: Path, progress: Progress) -> Summary:
    tally = Tally()
    with _files(folder) as files:
        for file, row in _settled(found, tally, progress):
            files[file].write(canonical_json(row.model_dump(mode="json")).encode() + b"\n")
    if not tally.pairs.total():
        (folder / PREFERENCES).unlink()  # readers of rows take an empty file for one that was cut off
    return tally.summary(name, found)


@contextmanager
def _files(folder: Path) -> Iterator[dict[str, IO[bytes]]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context((folder / name).open("wb")) for name in (EXAMPLES, PREFERENCES, LEDGER)}


def _refuse_empty(summary: Summary) -> None:
    if summary.num_examples:
        return
    reasons = ", ".join(f"{number} {reason}" for reason, number in summary.left_out.instructions.items())
    raise DataError(
        f"nothing of {summary.project} is accepted ({reasons or 'it holds no instruction'})",
        hint="Nothing was written. `instructglm annotate status` shows how far people have come.",
    )


def _manifest(found: Survey, summary: Summary, folder: Path) -> Manifest:
    state = found.state
    agreement, num_untold = _agreement(found)
    return Manifest(
        summary=summary,
        event_ms=state.head.at_ms,
        files={path.name: file_hash(path) for path in sorted(folder.iterdir())},
        criteria={name: (scale.low, scale.high) for name, scale in sorted(state.settings.criteria.items())},
        num_answers_by_round={str(number): n for number, n in state.num_answers_by_round.items()},
        num_answers_by_guideline={str(version or ""): n for version, n in state.num_answers_by_guideline.items()},
        num_annotators=len(set(found.everything.annotator.tolist())),
        num_reviewers=state.num_reviewers,
        num_reviewed=len(state.verdicts),
        agreement=agreement,
        num_subjects_untold=num_untold,
        annotators=annotator_figures(found.votings, found.ratings.fit, state.salt),
    )


def _agreement(found: Survey) -> tuple[tuple[AgreementFigures, ...], int]:
    """The figures of every subject, and how many tasks were too many."""
    told = list(subjects(found.everything, found.tasks, tuple(found.state.settings.criteria), found.domains))
    labels = [one for one in told if one[0].startswith("labels")]
    kept = labels[:MAX_TASKS] + told[len(labels) :]
    figures = tuple(figure for name, judgements in kept for figure in agreement_figures(name, judgements))
    return figures, len(labels) - len(labels[:MAX_TASKS])
