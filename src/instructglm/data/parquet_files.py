"""Parquet tables, a batch at a time. Imports pyarrow: load this module only when a parquet file is at hand."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from instructglm.core.errors import DataError
from instructglm.core.records import Fault
from instructglm.data.records import Row

_BATCH_ROWS = 1024


def read_parquet(path: Path, shown: str) -> Iterator[Row | Fault]:
    """Rows of a parquet file; `place` is `file[index]`, from 0.

    Raises:
        DataError: the file is damaged.
    """
    index = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_BATCH_ROWS):
                for value in batch.to_pylist():
                    yield Row(f"{shown}[{index}]", _plain(value))
                    index += 1
    except (pa.ArrowException, OSError) as error:
        first_line = str(error).splitlines()[0]
        raise DataError(
            f"{shown}: a damaged parquet file, after {index} rows: {first_line}", hint="Copy or export it anew."
        ) from error


def _plain(value: Any) -> Any:
    """The value in JSON's terms: a time becomes text, a NaN the null it stands for."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta | decimal.Decimal | bytes):
        return str(value)
    return value
