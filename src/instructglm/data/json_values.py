"""What all JSON layouts share: the decoder, and the way from a decoded value to a row."""

from __future__ import annotations

import json
import re
from typing import Any

from instructglm.core.records import Fault
from instructglm.data.records import Row, describe

DECODER = json.JSONDecoder(parse_constant=lambda name: None)
"""Reads NaN, which is no JSON but which tables are often exported with, as the null it stands for."""

_LONGEST_CUT = 8  # characters of a literal or an escape that the text's end may have cut short
_BEGUN = ("true", "false", "null", "NaN", "Infinity", "-Infinity", ".", "e", "E", "e-", "E-", "e+", "E+")
_SURROGATE = re.compile(r"\\ud[89a-f]", re.IGNORECASE)


def row_or_fault(place: str, value: Any, text: str) -> Row | Fault:
    """The row, unless the value is no object or `text`, its JSON, holds half a character."""
    if not isinstance(value, dict):
        return Fault(row=place, field="row", found=describe(value), expected="an object with named fields")
    if _SURROGATE.search(text) and not _encodes(value):
        return Fault(
            row=place,
            field="row",
            found="half a character (an unpaired \\ud8xx escape)",
            expected="text that was not cut inside an emoji or rare character",
        )
    return Row(place, value)


def _encodes(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def breaks_off(error: json.JSONDecodeError, text: str) -> bool:
    """Whether the text ended before the value did, rather than being wrong in the middle."""
    if error.msg.startswith("Unterminated string"):
        return True
    rest = text[error.pos : error.pos + _LONGEST_CUT].strip()
    if "escape" in error.msg:
        return len(rest) < _LONGEST_CUT and '"' not in rest
    return any(word.startswith(rest) for word in _BEGUN)
