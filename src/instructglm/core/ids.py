"""Names made from content, so that equal things have equal names everywhere."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

_SHORT = 12  # hex digits; 48 bits: one collision expected among 16 million names


def canonical_json(value: Any) -> str:
    """One text for one value: keys sorted, no spaces, non-ASCII kept.

    >>> canonical_json({"b": 1, "a": [True, None]})
    '{"a":[true,null],"b":1}'
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def content_hash(*parts: Any) -> str:
    """Twelve hex digits that name these JSON-able parts.

    >>> content_hash("a", "b") != content_hash("ab", "")
    True
    """
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()[:_SHORT]


def unit_interval(*parts: Any) -> float:
    """A number in [0, 1) fixed by the parts: the same on every machine, every day."""
    digest = hashlib.sha256(canonical_json(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
