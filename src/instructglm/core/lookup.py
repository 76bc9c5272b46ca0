"""Find a name in a registry, or say which names there are."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

from instructglm.core.errors import ConfigError

T = TypeVar("T")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` is most likely a slip of, if any is close."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)), None)


def lookup(kind: str, name: str, registry: Mapping[str, T]) -> T:
    """The entry called `name`.

    Raises:
        ConfigError: there is none; lists the names and the nearest one.
    """
    if name in registry:
        return registry[name]
    close = nearest(name, registry)
    hint = f"Did you mean {close!r}? " if close else ""
    raise ConfigError(f"unknown {kind} {name!r}", hint=f"{hint}Known: {', '.join(sorted(registry))}.")
