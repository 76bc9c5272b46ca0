"""What `data check` found, as a table and a list of faults."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from instructglm.cli.tables import table

if TYPE_CHECKING:
    from instructglm.data.check import CheckResult, FileCheck, Lengths

_EXPERIMENT_SUFFIXES = {".yaml", ".yml"}
_HEADER = ["file", "format", "rows", "examples", "several outputs", "empty", "faults", "prompt", "output", "Chinese"]
_LEGEND = "prompt, output: characters (median / longest). Chinese: share of all characters."


def check_paths(paths: Sequence[str], format: str) -> CheckResult:
    """Check data files and the sources of experiment files.

    Raises:
        ConfigError: the format is unknown, or an experiment file is wrong.
    """
    from instructglm.data.check import CheckResult

    _require_plain_format(format)
    return CheckResult(files=tuple(file for path in paths for file in _check_path(path, format)))


def _check_path(path: str, format: str) -> Sequence[FileCheck]:
    from instructglm.config.data import RowSource
    from instructglm.config.loading import load_experiment
    from instructglm.data.check import check

    if Path(path).suffix in _EXPERIMENT_SUFFIXES:
        return check(load_experiment(Path(path)).data.sources, Path(path).resolve().parent).files
    return check([RowSource.model_validate({"path": path, "format": format})], Path()).files


def _require_plain_format(format: str) -> None:
    from instructglm.config.data import RowSource
    from instructglm.config.keys import words_of
    from instructglm.core.errors import ConfigError
    from instructglm.core.lookup import lookup

    if format in {"lines", "ratings"}:
        raise ConfigError(f"--format {format} needs more settings", hint="Write an experiment file and check that.")
    lookup("format", format, {name: name for name in words_of(RowSource, "format") if name != "lines"})


def exit_code(result: CheckResult) -> int:
    """0 all is well, 1 rows are wrong, 2 a file cannot be read at all."""
    if any(file.error for file in result.files):
        return 2
    return 0 if result.ok else 1


def show_checks(result: CheckResult) -> None:
    """Print a line a file, then closed tasks, rows with nothing to learn, and every fault."""
    if readable := [_row(file) for file in result.files if not file.error]:
        print(table(_HEADER, readable), _LEGEND, sep="\n")
    for lines in (_answers(result.files), _empty_rows(result.files), _faults(result.files)):
        for line in lines:
            print(line)


def _row(file: FileCheck) -> list[object]:
    counts = [file.num_rows, file.num_examples, file.num_with_several_outputs, len(file.empty_rows), len(file.faults)]
    chinese = "-" if file.cjk_share is None else f"{file.cjk_share:.0%}"
    return [file.path, file.format, *counts, _lengths(file.prompt_lengths), _lengths(file.output_lengths), chinese]


def _lengths(lengths: Lengths | None) -> str:
    return f"{lengths.median} / {lengths.max}" if lengths else "-"


def _answers(files: Sequence[FileCheck]) -> Iterator[str]:
    for file in files:
        for task, choices in file.choices.items():
            yield f"{file.path}: {task} is a closed question: {', '.join(choices)}"


def _empty_rows(files: Sequence[FileCheck]) -> Iterator[str]:
    for file in files:
        yield from (f"{row}: empty; left out and named in the ledger" for row in file.empty_rows)


def _faults(files: Sequence[FileCheck]) -> Iterator[str]:
    for file in files:
        yield from map(str, file.faults)
        if file.error:
            yield file.error
