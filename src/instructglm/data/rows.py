"""A data file as rows, whatever its layout. Content tells the layout; the file's name does not matter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from instructglm.core.errors import DataError
from instructglm.core.records import Fault
from instructglm.data.csv_files import read_csv
from instructglm.data.encodings import text_encoding
from instructglm.data.json_files import read_json
from instructglm.data.records import EmptyRow, Row
from instructglm.data.text_files import lines, require_file, start_of

__all__ = ["EmptyRow", "Row", "read_rows"]

_NUM_LINES_LOOKED_AT = 5
_CUT_OFF = "Was its download or its export cut off?"

# the first bytes of files that are no rows, and what to do with them
_PACKED = {
    b"\x1f\x8b": ("a gzip file", "Unpack it: gunzip"),
    b"PK\x03\x04": ("a zip archive or an Excel workbook", "Unpack it, or save the sheet as CSV (UTF-8):"),
    b"\x28\xb5\x2f\xfd": ("a zstandard file", "Unpack it: unzstd"),
    b"BZh": ("a bzip2 file", "Unpack it: bunzip2"),
    b"SQLite f": ("an SQLite database", "Export its table as CSV:"),
}


def read_rows(path: Path, shown: str) -> Iterator[Row | Fault]:
    """All rows of a JSON, JSON lines, CSV, TSV or parquet file, in order.

    A row that cannot be read comes as a `Fault` in its place and reading goes
    on. `shown` is how messages call the file.

    Raises:
        DataError: the file as a whole cannot be read: missing, empty, a folder, wrongly
            encoded, packed, or a JSON array or parquet file that is broken.
    """
    require_file(path, shown)
    empty = True
    for row in _read(path, shown):
        empty = False
        yield row
    if empty:
        raise DataError(f"{shown}: holds no rows", hint=_CUT_OFF)


def _read(path: Path, shown: str) -> Iterator[Row | Fault]:
    if _head(path).startswith(b"PAR1"):
        from instructglm.data.parquet_files import read_parquet

        return read_parquet(path, shown)
    _refuse_packed(path, shown)
    encoding = text_encoding(path, shown)
    starts = list(islice(filter(None, map(start_of, lines(path, encoding))), _NUM_LINES_LOOKED_AT))
    if not starts:
        raise DataError(f"{shown}: holds only blank lines; expected rows", hint=_CUT_OFF)
    return read_json(path, shown, encoding) if _is_json(starts) else read_csv(path, shown, encoding)


def _is_json(starts: Sequence[str]) -> bool:
    """Whether the first lines are JSON, be it with a broken row among them."""
    whole = any(start.startswith("{") and start.rstrip(",").endswith("}") for start in starts)
    return starts[0][0] in "[{" or whole


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(8)


def _refuse_packed(path: Path, shown: str) -> None:
    head = _head(path)
    for magic, (kind, move) in _PACKED.items():
        if head.startswith(magic):
            raise DataError(f"{shown}: is {kind}; expected JSON, CSV or parquet", hint=f"{move} {shown}")
