"""From the sources of an experiment to its splits, with the account of every row that went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from instructglm.annotation.summary import RatedItem
from instructglm.config.data import DataSettings, RatingsSource, RowSource
from instructglm.core.errors import DataError
from instructglm.core.ids import content_hash, file_hash
from instructglm.core.ledger import Ledger, LedgerEntry
from instructglm.core.records import Example, Fault, Split
from instructglm.data.choices import Wanted, separate_open, settle_choices, wanted_by_task
from instructglm.data.dataset import FORMAT_VERSION, Manifest, rows_by_reason
from instructglm.data.sources import ReadFile, Reading, read_any, source_files
from instructglm.data.split import Quota, RowKey, Splits, key_of, split_examples
from instructglm.data.transforms import TRANSFORMS

_SHOWN = 50  # faults spelled out in one message; the count is always whole
_NOT_THE_DATA = {"max_length", "overlong"}  # settings that only the encoding of a dataset depends on


@dataclass
class Built:
    """A dataset in memory."""

    splits: Splits
    ledger: Ledger
    files: list[ReadFile]
    rated: dict[str, list[RatedItem]] = field(default_factory=dict)
    """Task -> its rated items, those that were left out included."""


def dataset_inputs(settings: DataSettings, base: Path) -> dict[str, Any]:
    """Everything that decides what a dataset holds: the settings, and a hash of every file."""
    files = [(shown, file_hash(path)) for source in settings.sources for path, shown in source_files(source, base)]
    chosen = settings.model_dump(mode="json", exclude=_NOT_THE_DATA)
    return {"version": FORMAT_VERSION, "settings": chosen, "files": files}


def dataset_hash(settings: DataSettings, base: Path) -> str:
    """The name of the dataset that these settings make of the files as they are now."""
    return content_hash(dataset_inputs(settings, base))


def build(settings: DataSettings, base: Path, tell: Callable[[str], None] = lambda text: None) -> Built:
    """Read, transform and split the sources.

    Raises:
        DataError: a file or (under `malformed: refuse`) a row cannot be read;
            or nothing is left to train on.
    """
    built = Built({}, Ledger(), [])
    examples: list[Example] = []
    faults: list[Fault] = []
    quotas: dict[RowKey, Quota] = {}
    said: list[tuple[str, Wanted]] = []
    for number, source in enumerate(settings.sources):
        reading = read_any(source, base)
        examples += reading.examples
        said += [(task, choices_of(source)) for task in dict.fromkeys(example.task for example in reading.examples)]
        _add_quotas(quotas, reading, Quota(f"sources[{number}]", source.limit))
        faults += reading.faults
        built.files += reading.files
        _note_reading(built, reading)
        tell(f"read {len(reading.examples):,} examples from {_files_in_words(reading)}")
    examples, unlisted = settle_choices(examples, wanted_by_task(said))
    _judge([*faults, *unlisted], settings, built.ledger)
    apart = separate_open(examples)
    quotas |= {key_of(new): quotas[key_of(old)] for old, new in zip(examples, apart, strict=True)}
    examples = apart
    for name in settings.transforms:
        examples = TRANSFORMS[name](examples, built.ledger)
    built.splits = split_examples(examples, settings.split, quotas, built.ledger)
    _refuse_empty(built)
    return built


def _files_in_words(reading: Reading) -> str:
    """The first file's name, and how many more."""
    first, *others = (file.path.rpartition("/")[2] for file in reading.files)
    return f"{first} and {len(others)} more" if others else first


def choices_of(source: RowSource | RatingsSource) -> Wanted:
    """What a source says of its closed set; the answers to rated texts are always one."""
    return source.choices if isinstance(source, RowSource) else "auto"


def _add_quotas(quotas: dict[RowKey, Quota], reading: Reading, quota: Quota) -> None:
    """Note which source each row came from.

    Raises:
        DataError: two sources with different limits read the same rows.
    """
    for example in reading.examples:
        other = quotas.setdefault(key_of(example), quota)
        if other.limit != quota.limit:
            raise DataError(
                f"data.{other.source} and data.{quota.source} both read {example.row} under the task {example.task}, "
                "with different limits",
                hint="Give one of them a `task` of its own, or both the same `limit`.",
            )


def _note_reading(built: Built, reading: Reading) -> None:
    tasks = {example.row: example.task for example in reading.examples}
    for empty in reading.empty:
        action: Literal["dropped", "cut"] = "cut" if empty.row in tasks else "dropped"
        entry = LedgerEntry(row=empty.row, reason="empty", detail=f"{empty.field} is blank", action=action)
        built.ledger.add(entry.model_copy(update={"task": tasks.get(empty.row, reading.files[0].task)}))
    for entry in reading.ledger:
        built.ledger.add(entry)
    for task, items in reading.rated.items():
        built.rated.setdefault(task, []).extend(items)


def _judge(faults: Sequence[Fault], settings: DataSettings, ledger: Ledger) -> None:
    """Stop at malformed rows, all of them at once, or note each in the ledger."""
    if faults and settings.malformed == "refuse":
        shown = [str(fault) for fault in faults[:_SHOWN]]
        more = [f"... and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
        raise DataError(
            *shown,
            *more,
            hint=f"{len(faults)} malformed rows. Mend them, or set data.malformed to `drop` to go on without them.",
        )
    for fault in faults:
        ledger.drop(fault.row, "malformed", f"{fault.field}: found {fault.found}; expected {fault.expected}")


def _refuse_empty(built: Built) -> None:
    if built.splits[Split.TRAIN]:
        return
    gone = ", ".join(f"{count} {reason}" for reason, count in built.ledger.counts().items()) or "none were dropped"
    raise DataError(
        f"no example is left to train on ({gone})",
        hint="Give more data, or lower data.split.test and data.split.validation.",
    )


def make_manifest(name: str, digest: str, settings: DataSettings, built: Built) -> Manifest:
    """The manifest of a dataset that was just built."""
    return Manifest(
        name=name,
        hash=digest,
        settings=settings.model_dump(mode="json", exclude=_NOT_THE_DATA),
        files=tuple(built.files),
        num_examples={split.value: len(examples) for split, examples in built.splits.items()},
        num_outputs={
            split.value: sum(len(example.outputs) for example in examples) for split, examples in built.splits.items()
        },
        ledger_counts=built.ledger.counts(),
        ledger_rows=dict(rows_by_reason(built.ledger.entries)),
    )
