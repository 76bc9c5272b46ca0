"""A text file whose every line is a prompt; the source names the one answer they share.

Two such files, one an answer, make a task with a closed set of answers: give
both sources the same `task` and the same list of `choices`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from instructglm.config.data import RowSource
from instructglm.core.records import Message
from instructglm.data.encodings import text_encoding
from instructglm.data.formats.fields import Fields
from instructglm.data.formats.format import Result
from instructglm.data.records import Row
from instructglm.data.text_files import Line, LongLine, lines, require_file, too_long


def read_file(path: Path, shown: str, source: RowSource, task: str) -> Iterator[Result]:
    """Read the lines of one file, without their outer blanks; a blank line comes as an `EmptyRow`.

    Raises:
        DataError: the file as a whole cannot be read.
    """
    require_file(path, shown)
    for line in lines(path, text_encoding(path, shown)):
        place = f"{shown}:{line.number}"
        if isinstance(line, LongLine):
            yield too_long(place, line.num_bytes)
        else:
            yield from _read(line, place, source, task)


def _read(line: Line, place: str, source: RowSource, task: str) -> Iterator[Result]:
    fields = Fields(Row(place, {"output": source.output}))
    turns = [Message(role="user", content=line.text.strip())]
    yield from fields.result(source, task, turns, fields.outputs("output"), prompt_field="line", output_field="output")
