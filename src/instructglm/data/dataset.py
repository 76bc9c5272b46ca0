"""A dataset on disk: three parquet files, the ledger and a manifest, byte-equal whenever they are built again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from instructglm.core.errors import StorageError
from instructglm.core.files import storage_errors, write_text
from instructglm.core.ledger import LedgerEntry
from instructglm.core.records import Example, Record, Split
from instructglm.data.sources import ReadFile

FORMAT_VERSION = 2
MANIFEST, LEDGER = "manifest.json", "ledger.jsonl"


class Manifest(Record):
    """What a dataset was made from, and what became of it. Holds no date: equal inputs give equal bytes."""

    format_version: int = FORMAT_VERSION
    name: str
    hash: str
    settings: dict[str, Any]
    files: tuple[ReadFile, ...]
    num_examples: dict[str, int]
    num_outputs: dict[str, int]
    ledger_counts: dict[str, int]
    ledger_rows: dict[str, tuple[str, ...]]
    """Reason -> the ids of all rows that went for it; the details are in ledger.jsonl."""


def write_examples(path: Path, examples: Sequence[Example]) -> None:
    """Write one split as a parquet file.

    Raises:
        StorageError: the disk is full, or the place may not be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [_to_row(example) for example in examples]
    with storage_errors(path):
        pq.write_table(pa.Table.from_pylist(rows, schema=_schema()), path, compression="zstd")


def read_examples(folder: Path, split: Split) -> list[Example]:
    """One split of a dataset.

    Raises:
        StorageError: the file is missing or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / f"{split.value}.parquet"
    try:
        return [_from_row(row) for row in pq.read_table(path).to_pylist()]
    except (OSError, pa.ArrowException, ValueError, KeyError) as error:
        raise _unreadable(path, error) from error


def write_ledger(folder: Path, entries: Sequence[LedgerEntry]) -> None:
    """One line for each row or cut, in the order they happened."""
    write_text(folder / LEDGER, "".join(f"{entry.model_dump_json()}\n" for entry in entries))


def read_ledger(folder: Path) -> list[LedgerEntry]:
    """The entries of a dataset's or a run's ledger; none where there is no ledger.

    Raises:
        StorageError: it is damaged.
    """
    path = folder / LEDGER
    if not path.exists():
        return []
    try:
        # Not splitlines(): it also splits at line separators that may stand inside a text.
        return [LedgerEntry.model_validate_json(line) for line in path.read_bytes().split(b"\n") if line]
    except (OSError, ValidationError) as error:
        raise _unreadable(path, error) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write what `read_manifest` reads."""
    write_text(folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a dataset.

    Raises:
        StorageError: it is missing, damaged, or of another version.
    """
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise _unreadable(path, error) from error
    if manifest.format_version != FORMAT_VERSION:
        raise StorageError(
            f"{path}: found format version {manifest.format_version}; expected {FORMAT_VERSION}", hint=_REBUILD
        )
    return manifest


def rows_by_reason(entries: Sequence[LedgerEntry]) -> Mapping[str, tuple[str, ...]]:
    """Reason -> row ids, in order."""
    rows: dict[str, list[str]] = {}
    for entry in entries:
        rows.setdefault(entry.reason, []).append(entry.row)
    return {reason: tuple(ids) for reason, ids in rows.items()}


_REBUILD = "Remove the folder and run the command again: the dataset is built anew."


def _unreadable(path: Path, error: Exception) -> StorageError:
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return StorageError(f"{path}: {'damaged' if path.exists() else 'missing'}: {first}", hint=_REBUILD)


def _to_row(example: Example) -> dict[str, Any]:
    row = example.model_dump(mode="json")
    row["metadata"] = json.dumps(row["metadata"], ensure_ascii=False, sort_keys=True)
    return row


def _from_row(row: dict[str, Any]) -> Example:
    return Example.model_validate(row | {"metadata": json.loads(row["metadata"])})


def _schema() -> Any:
    import pyarrow as pa

    text, number = pa.string(), pa.float64()
    nested = {
        "messages": pa.list_(pa.struct({"role": text, "content": text})),
        "outputs": pa.list_(
            pa.struct({"text": text, "weight": number, "annotator": text, "ratings": pa.list_(number)})
        ),
        "choices": pa.list_(text),
        "ratings": pa.list_(pa.struct({"annotator": text, "value": number})),
    }
    order = ["id", "task", "messages", "outputs", "choices", "group", "split", "row", "ratings", "metadata"]
    return pa.schema([pa.field(name, nested.get(name, text)) for name in order])
