"""A guideline's text as headings, lists and paragraphs: the little that plain text says by itself, and no HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Literal

from instructglm.core.records import Record

_HEADING = re.compile(r"(#{1,4})\s+(\S.*)")
_BULLET = re.compile(r"\s*[-*•]\s+(\S.*)")
_NUMBERED = re.compile(r"\s*\d+(?:[.)]\s+|、\s*)(\S.*)")


class Block(Record):
    """A piece of a guideline; a list has several `texts`, a heading its `level` from 1."""

    kind: Literal["heading", "bullets", "numbers", "paragraph"]
    texts: tuple[str, ...]
    level: int = 1


def blocks(text: str) -> tuple[Block, ...]:
    """The pieces of a text: `# ` begins a heading, `- ` and `1. ` an entry; an empty line ends a paragraph."""
    lines = [_line(line) for line in text.replace("\r\n", "\n").split("\n")]
    return tuple(block for kind, found in groupby(lines, key=lambda line: line[0]) for block in _blocks(kind, found))


def _line(line: str) -> tuple[str, int, str]:
    """What kind of block a line belongs to, its level, and its text."""
    if not line.strip():
        return "", 1, ""
    if found := _HEADING.fullmatch(line):
        return "heading", len(found[1]), found[2]
    for kind, pattern in (("bullets", _BULLET), ("numbers", _NUMBERED)):
        if found := pattern.fullmatch(line):
            return kind, 1, found[1]
    return "paragraph", 1, line


def _blocks(kind: str, lines: Iterator[tuple[str, int, str]]) -> Iterator[Block]:
    if kind == "heading":
        yield from (Block(kind="heading", level=level, texts=(text,)) for _, level, text in lines)
    elif kind == "paragraph":
        yield Block(kind="paragraph", texts=("\n".join(text for _, _, text in lines),))
    elif kind:
        yield Block(kind=kind, texts=tuple(text for _, _, text in lines))
