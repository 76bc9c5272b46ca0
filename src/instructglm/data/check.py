"""`data check`: what is in these files, and what is wrong with them, before anything is built."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from instructglm.config.data import RatingsSource, RowSource
from instructglm.core.errors import DataError
from instructglm.core.records import Fault, Record
from instructglm.data.choices import Wanted, settle_choices, wanted_by_task
from instructglm.data.formats.belle import UNLISTED_ANSWER
from instructglm.data.sources import Reading, expand, read_any, read_file

_CJK = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_BLANK = re.compile(r"\s")


class Lengths(Record):
    """Of texts, in characters."""

    median: int
    p90: int
    max: int


class FileCheck(Record):
    """One file. `error` says why it could not be read at all; then the figures are 0 and the lengths None."""

    path: str
    format: str = ""
    num_rows: int = 0
    num_examples: int = 0
    num_with_several_outputs: int = 0
    tasks: dict[str, int] = Field(default_factory=dict)
    """Task -> examples."""
    splits: dict[str, int] = Field(default_factory=dict)
    """Split that the rows name themselves -> examples."""
    choices: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Closed task -> its answers."""
    num_with_own_choices: int = 0
    """Examples that bring a closed set of their own."""
    num_answers_not_among_own_choices: int = 0
    """Examples whose answer is none of the choices that their row lists; they are read as open questions."""
    num_raters_split: int = 0
    """Rated texts whose mean falls between the answers."""
    num_read_in_part: int = 0
    """Conversations of which most models train only the last answer."""
    empty_rows: tuple[str, ...] = ()
    """Rows with nothing to learn, as `row: field`."""
    faults: tuple[Fault, ...] = ()
    prompt_lengths: Lengths | None = None
    output_lengths: Lengths | None = None
    cjk_share: float | None = None
    """Chinese characters among all that are not blank, in prompts and outputs, 0 to 1."""
    error: str | None = None


class CheckResult(Record):
    """All files, in the order they were named."""

    files: tuple[FileCheck, ...]

    @property
    def ok(self) -> bool:
        """Whether every file can be read and no row is wrong; empty rows are no fault."""
        return not any(file.error or file.faults for file in self.files)


def check(sources: Sequence[RowSource | RatingsSource], base: Path) -> CheckResult:
    """Read every file of these sources and say what is in it. Never raises for what stands in a file.

    As in a build, a task's closed set of answers is settled over all files that
    have examples of it, and an answer outside it is a fault of its row.
    """
    files = [file for source in sources for file in _read_source(source, base)]
    closed, unlisted = _settle([file for file in files if isinstance(file, _Read)])
    return CheckResult(
        files=tuple(file if isinstance(file, FileCheck) else _summary(file, closed, unlisted) for file in files)
    )


@dataclass(frozen=True)
class _Read:
    """A file that could be read, and what its source says of its answers."""

    shown: str
    reading: Reading
    choices: Wanted


def _read_source(source: RowSource | RatingsSource, base: Path) -> list[_Read | FileCheck]:
    shown = source.path if isinstance(source.path, str) else ", ".join(source.path)
    try:
        if isinstance(source, RatingsSource):
            return [_Read(shown, read_any(source, base), "auto")]
        return [_read_one(path, name, source) for path, name in expand(source.path, base)]
    except DataError as error:
        return [FileCheck(path=shown, error=str(error))]


def _read_one(path: Path, shown: str, source: RowSource) -> _Read | FileCheck:
    try:
        return _Read(shown, read_file(path, shown, source), source.choices)
    except DataError as error:
        return FileCheck(path=shown, error=str(error))


def _settle(files: Sequence[_Read]) -> tuple[dict[str, tuple[str, ...]], dict[str, list[Fault]]]:
    """Closed task -> its answers, and row -> its answer that is none of them."""
    examples = [example for file in files for example in file.reading.examples]
    wanted = wanted_by_task((task, file.choices) for file in files for task in _tasks(file))
    settled, faults = settle_choices(examples, wanted)
    unlisted: dict[str, list[Fault]] = {}
    for fault in faults:
        unlisted.setdefault(fault.row, []).append(fault)
    own = {example.row for example in examples if example.choices}
    return {one.task: one.choices for one in settled if one.choices and one.row not in own}, unlisted


def _tasks(file: _Read) -> dict[str, int]:
    """Task -> examples."""
    return dict(Counter(example.task for example in file.reading.examples))


def _summary(file: _Read, closed: Mapping[str, tuple[str, ...]], unlisted: Mapping[str, list[Fault]]) -> FileCheck:
    reading, shown = file.reading, file.shown
    examples = reading.examples
    rows = dict.fromkeys(example.row for example in examples)
    prompts = ["\n\n".join(message.content for message in example.messages) for example in examples]
    outputs = [reference for example in examples for reference in example.references]
    return FileCheck(
        path=shown,
        format=reading.files[0].format,
        num_rows=reading.files[0].num_rows,
        num_examples=len(examples),
        num_with_several_outputs=sum(len(example.outputs) > 1 for example in examples),
        tasks=_tasks(file),
        splits=dict(Counter(example.split.value for example in examples if example.split)),
        choices={task: closed[task] for task in _tasks(file) if task in closed},
        num_with_own_choices=sum(bool(example.choices) for example in examples),
        num_answers_not_among_own_choices=sum(bool(example.metadata.get(UNLISTED_ANSWER)) for example in examples),
        num_raters_split=sum(entry.reason == "raters_split" for entry in reading.ledger),
        num_read_in_part=sum(entry.reason == "unused" for entry in reading.ledger),
        empty_rows=tuple(f"{empty.row}: {empty.field}" for empty in reading.empty),
        faults=(*reading.faults, *(fault for row in rows for fault in unlisted.get(row, ()))),
        prompt_lengths=_lengths(prompts),
        output_lengths=_lengths(outputs),
        cjk_share=_cjk_share([*prompts, *outputs]),
    )


def _lengths(texts: Iterable[str]) -> Lengths | None:
    """Median and 90th percentile as lengths that occur (the lower of two in the middle)."""
    lengths = sorted(map(len, texts))
    if not lengths:
        return None
    last = len(lengths) - 1
    return Lengths(median=lengths[last // 2], p90=lengths[last * 9 // 10], max=lengths[-1])


def _cjk_share(texts: Sequence[str]) -> float | None:
    num_cjk = sum(len(_CJK.findall(text)) for text in texts if not text.isascii())
    num_visible = sum(len(text) - len(_BLANK.findall(text)) for text in texts)
    return num_cjk / num_visible if num_visible else None
