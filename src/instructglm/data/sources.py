"""From the sources of an experiment file to their files, and to what those hold."""

from __future__ import annotations

import glob
from pathlib import Path

from instructglm.config.data import RatingsSource, RowSource
from instructglm.core.errors import DataError
from instructglm.core.ids import file_hash
from instructglm.data.packages import is_package_uri, resolve_all
from instructglm.data.reading import ReadFile, Reading, read_file
from instructglm.data.text_files import near_files

__all__ = ["ReadFile", "Reading", "expand", "read_any", "read_file", "read_source", "source_files"]


def read_any(source: RowSource | RatingsSource, base: Path) -> Reading:
    """All that a source of any kind holds. Relative paths start at `base`.

    Rows that cannot be used are in `faults`, `empty` and `ledger`, never left out in silence.

    Raises:
        DataError: files are missing or cannot be read as a whole; one line for each.
    """
    return _read_ratings(source, base) if isinstance(source, RatingsSource) else read_source(source, base)


def read_source(source: RowSource, base: Path) -> Reading:
    """All that a source of rows holds; see `read_any`."""
    return _joined([_read_or_error(path, shown, source) for path, shown in expand(source.path, base)])


def source_files(source: RowSource | RatingsSource, base: Path) -> list[tuple[Path, str]]:
    """The files that decide what a source holds, each with the name under which messages show it.

    Raises:
        DataError: a path leads nowhere.
    """
    texts = expand(source.texts, base) if isinstance(source, RatingsSource) else []
    return list(dict([*expand(source.path, base), *texts]).items())


def expand(patterns: str | list[str], base: Path) -> list[tuple[Path, str]]:
    """The files that paths, globs and package URIs name, each once, with the name under which messages show it.

    Raises:
        DataError: a path leads nowhere; says where it was looked for and what is near.
    """
    found: dict[Path, str] = {}
    faults: list[str] = []
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        try:
            for path, shown in _expand_one(pattern, base):
                found.setdefault(path, shown)
        except DataError as error:
            faults.append(str(error))
    if faults:
        raise DataError(*faults)
    return list(found.items())


def _expand_one(pattern: str, base: Path) -> list[tuple[Path, str]]:
    if is_package_uri(pattern):
        return resolve_all(pattern)
    path = base / Path(pattern).expanduser()
    if path.exists():
        return [(path, pattern)]
    if not glob.has_magic(pattern):
        raise DataError(f"{pattern}: no such file", hint=near_files(path))
    names = sorted(glob.glob(str(Path(pattern).expanduser()), root_dir=base, recursive=True))
    files = [(base / name, name) for name in names if (base / name).is_file()]
    if not files:
        raise DataError(f"{pattern}: no file matches", hint=near_files(_fixed_part(path)))
    return files


def _fixed_part(path: Path) -> Path:
    """The path up to its first part with a wildcard."""
    parts = [part for part in (path, *path.parents) if glob.has_magic(part.name)]
    return parts[-1] if parts else path


def _read_or_error(path: Path, shown: str, source: RowSource) -> Reading | DataError:
    try:
        return read_file(path, shown, source)
    except DataError as error:
        return error


def _joined(readings: list[Reading | DataError]) -> Reading:
    if errors := [str(reading) for reading in readings if isinstance(reading, DataError)]:
        raise DataError(*errors)
    whole = Reading()
    for reading in readings:
        assert isinstance(reading, Reading)
        whole.examples.extend(reading.examples)
        whole.faults.extend(reading.faults)
        whole.empty.extend(reading.empty)
        whole.files.extend(reading.files)
        whole.ledger.extend(reading.ledger)
    return whole


def _read_ratings(source: RatingsSource, base: Path) -> Reading:
    from instructglm.data.formats.ratings import read_ratings

    read = read_ratings(source, base)
    files = [
        ReadFile(
            path=table.shown, sha256=file_hash(table.path), format="ratings", task=read.task, num_rows=read.num_rows
        )
        for table in read.tables
    ]
    return Reading(read.examples, read.faults, read.empty, files, read.ledger, {read.task: read.rated})
