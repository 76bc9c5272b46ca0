"""Changes to an experiment on the command line: `training.learning_rate=1e-4`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from instructglm.config.document import Document, Fault, KeyPath, dotted, parse
from instructglm.core.errors import ConfigError

ORIGIN = "command line"


def apply_overrides(document: Document, overrides: Sequence[str]) -> None:
    """Set each KEY=VALUE in the document's value, in their order; faults are noted in the document.

    Values are YAML. `data.sources.0.path` and `data.sources[0].path` are the same key.
    """
    for override in overrides:
        key, equals, text = override.partition("=")
        path = _path(key)
        if not equals or not path:
            problem = f"found {override!r}; expected KEY=VALUE such as training.learning_rate=1e-4"
            document.faults.append(Fault(ORIGIN, (), problem))
            continue
        try:
            _set(document, path, parse(text, f"{ORIGIN}, value of {key}").value)
        except ConfigError as error:
            document.faults.extend(Fault("", (), fault) for fault in error.faults)


def _path(key: str) -> KeyPath:
    parts = re.sub(r"\[(\d+)\]", r".\1", key.strip()).split(".")
    return tuple(int(part) if part.isdecimal() else part for part in parts) if all(parts) else ()


def _set(document: Document, path: KeyPath, value: Any) -> None:
    holder = document.value
    for depth, part in enumerate(path[:-1], start=1):
        _require(holder, part, path[: depth - 1])
        if isinstance(holder, dict) and holder.get(part) is None:
            holder[part] = {}
            document.origins[path[:depth]] = ORIGIN
        holder = holder[part]
    _require(holder, path[-1], path[:-1])
    holder[path[-1]] = value
    for old in [known for known in document.origins if known[: len(path)] == path]:
        del document.origins[old]
    document.origins[path] = ORIGIN


def _require(holder: Any, part: str | int, path: KeyPath) -> None:
    """Check that `holder`, which stands at `path`, has room for `part`."""
    where = f"{ORIGIN}: {dotted((*path, part))}"
    if isinstance(holder, dict) and isinstance(part, str):
        return
    if not isinstance(holder, dict | list):
        raise ConfigError(
            f"{where}: {dotted(path) or 'the file'} holds a single value, so nothing can be set inside it"
        )
    if isinstance(holder, dict) or isinstance(part, str):
        expected = "a name" if isinstance(holder, dict) else "a position such as 0"
        raise ConfigError(f"{where}: found {part!r}; expected {expected} after {dotted(path) or 'the start'}")
    if part >= len(holder):
        raise ConfigError(f"{where}: {dotted(path)} has {len(holder)} entries, counted from 0")
