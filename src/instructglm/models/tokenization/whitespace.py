"""How ChatGLM-6B's vocabulary writes line ends, tabs and runs of blanks: each is one piece with a name."""

from __future__ import annotations

import re

LONGEST_RUN = 80  # blanks in one piece
_RUN = re.compile(f" {{2,{LONGEST_RUN}}}")
_NAMES = re.compile(r"<n>|<\|tab\|>|<\|blank_([2-9]|[1-7][0-9]|80)\|>")


def named(text: str) -> str:
    """The text as sentencepiece gets it: names for line ends, tabs and runs of 2 to 80 blanks, longest first."""
    lines = text.replace("\n", "<n>").replace("\t", "<|tab|>")
    return _RUN.sub(lambda run: f"<|blank_{len(run[0])}|>", lines)


def restored(text: str) -> str:
    """The text with the whitespace that the names stand for."""
    return _NAMES.sub(_whitespace, text)


def _whitespace(name: re.Match[str]) -> str:
    if name[1]:
        return " " * int(name[1])
    return "\n" if name[0] == "<n>" else "\t"
