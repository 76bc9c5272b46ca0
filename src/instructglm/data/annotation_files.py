"""Files for the annotation store: read as any file of data is, taken in by `annotation.exchange`."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Literal

from instructglm.annotation.exchange import Source, Taken, import_rows
from instructglm.annotation.store import Store
from instructglm.core.records import Fault
from instructglm.data.rows import Row, read_rows

Faulty = Literal["refuse", "leave out"]


def import_files(
    store: Store,
    project: int,
    files: Iterable[Path],
    *,
    format: str | None = None,
    faulty: Faulty = "refuse",
    person: int | None = None,
) -> Taken:
    """Take files into a project in one go, as `import_rows` does; `format` None: each is looked at.

    Raises:
        DataError: a file cannot be read, is in no known format or could be in several; or something is faulty and
            `faulty` is "refuse". Nothing was stored.
        ConfigError: there is no such format.
    """
    sources = (Source(str(file), _rows(file, str(file)), format) for file in files)
    return import_rows(store, project, sources, faulty=faulty, person=person)


def import_stream(
    store: Store,
    project: int,
    stream: BinaryIO,
    name: str,
    *,
    format: str | None = None,
    faulty: Faulty = "refuse",
    person: int | None = None,
) -> Taken:
    """The same with the bytes of one file, an upload say; messages call it `name`. Who calls bounds its size."""
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "upload"
        with copy.open("wb") as file:
            shutil.copyfileobj(stream, file)
        source = Source(name, _rows(copy, name), format)
        return import_rows(store, project, [source], faulty=faulty, person=person)


def _rows(file: Path, shown: str) -> Iterator[tuple[str, Any] | Fault]:
    return ((row.place, row.value) if isinstance(row, Row) else row for row in read_rows(file, shown))
