"""Predictions on disk, one parquet file a model."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from instructglm.core.errors import StorageError
from instructglm.core.files import write_bytes
from instructglm.core.records import Prediction


def write_predictions(path: Path, predictions: Sequence[Prediction]) -> None:
    """Write them atomically; equal predictions give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = pa.string()
    schema = pa.schema(
        {
            "example_id": text,
            "task": text,
            "model": text,
            "text": text,
            "num_tokens": pa.int64(),
            "finish_reason": text,
            "choice_logprobs": pa.list_(pa.float64()),
            "num_prompt_tokens_cut": pa.int64(),
            "unscored": text,
        }
    )
    rows = [prediction.model_dump(mode="json") for prediction in predictions]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), buffer, compression="zstd")
    write_bytes(path, buffer.getvalue())


def read_predictions(path: Path) -> list[Prediction]:
    """What `write_predictions` wrote.

    Raises:
        StorageError: the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return [Prediction.model_validate(row) for row in pq.read_table(path).to_pylist()]
    except (OSError, pa.ArrowException, ValueError) as error:
        raise StorageError(f"{path}: damaged: {error}", hint="Remove it and run the command again.") from error
