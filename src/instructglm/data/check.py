"""`data check`: what is in these files, and what is wrong with them, before anything is built."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import Field

from instructglm.config.data import RatingsSource, RowSource
from instructglm.core.errors import DataError
from instructglm.core.records import Example, Fault, Record
from instructglm.data.choices import find_choices
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
    """Read every file of these sources and say what is in it. Never raises for what stands in a file."""
    return CheckResult(files=tuple(file for source in sources for file in _check_source(source, base)))


def _check_source(source: RowSource | RatingsSource, base: Path) -> list[FileCheck]:
    shown = source.path if isinstance(source.path, str) else ", ".join(source.path)
    try:
        if isinstance(source, RatingsSource):
            return [_summary(read_any(source, base), shown)]
        return [_check_file(path, name, source) for path, name in expand(source.path, base)]
    except DataError as error:
        return [FileCheck(path=shown, error=str(error))]


def _check_file(path: Path, shown: str, source: RowSource) -> FileCheck:
    try:
        return _summary(read_file(path, shown, source), shown)
    except DataError as error:
        return FileCheck(path=shown, error=str(error))


def _summary(reading: Reading, shown: str) -> FileCheck:
    examples = reading.examples
    prompts = ["\n\n".join(message.content for message in example.messages) for example in examples]
    outputs = [reference for example in examples for reference in example.references]
    return FileCheck(
        path=shown,
        format=reading.files[0].format,
        num_rows=reading.files[0].num_rows,
        num_examples=len(examples),
        num_with_several_outputs=sum(len(example.outputs) > 1 for example in examples),
        tasks=dict(Counter(example.task for example in examples)),
        splits=dict(Counter(example.split.value for example in examples if example.split)),
        choices=_choices(examples),
        num_with_own_choices=sum(bool(example.choices) for example in examples),
        num_answers_not_among_own_choices=sum(bool(example.metadata.get(UNLISTED_ANSWER)) for example in examples),
        num_raters_split=len(reading.ledger),
        empty_rows=tuple(f"{empty.row}: {empty.field}" for empty in reading.empty),
        faults=tuple(reading.faults),
        prompt_lengths=_lengths(prompts),
        output_lengths=_lengths(outputs),
        cjk_share=_cjk_share([*prompts, *outputs]),
    )


def _choices(examples: Sequence[Example]) -> dict[str, tuple[str, ...]]:
    by_task: dict[str, list[Example]] = {}
    for example in examples:
        by_task.setdefault(example.task, []).append(example)
    found = {task: find_choices(members) for task, members in by_task.items()}
    return {task: choices for task, choices in found.items() if choices}


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
