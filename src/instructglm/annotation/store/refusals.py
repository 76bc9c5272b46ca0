"""What a database refuses, told with the next move."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from instructglm.annotation.store.engines import hidden
from instructglm.core.errors import DataError, StorageError


class Refusal(NamedTuple):
    """A refusal as we tell it."""

    found: str
    hint: str


_FULL = Refusal("the disk is full", "Free some space; what was acknowledged is kept, the last save was not stored.")
_LOCKED = Refusal(
    "another program has been writing for too long", "Wait for it to end (a large import?), then try again."
)
_READ_ONLY = Refusal("may not be written", "Allow writing to the database and, for SQLite, to its folder.")
_NOT_SQLITE = Refusal("is not an SQLite database", "Choose another file; nothing was changed in this one.")
_UNREACHABLE = Refusal("cannot be opened", "See that it is there, that its server runs, and that you may use it.")
_DAMAGED = Refusal("is damaged", "Restore it from a copy, and run `instructglm annotate verify` on that.")
_FAILING = Refusal("the disk fails", "Choose another disk, and look after this one.")

# SQLite's primary result codes (the low byte of the extended ones), and the classes and codes of PostgreSQL.
_SQLITE = {
    5: _LOCKED, 6: _LOCKED, 8: _READ_ONLY, 10: _FAILING, 11: _DAMAGED, 13: _FULL, 14: _UNREACHABLE, 26: _NOT_SQLITE,
}  # fmt: skip
_POSTGRES = {
    "55P03": _LOCKED, "53100": _FULL, "25006": _READ_ONLY, "42501": _READ_ONLY, "28": _UNREACHABLE, "08": _UNREACHABLE,
    "3D": _UNREACHABLE, "57": _UNREACHABLE, "53": _UNREACHABLE, "XX": _DAMAGED, "58": _FAILING,
}  # fmt: skip


@contextmanager
def told(url: URL) -> Iterator[None]:
    """Turn what the database refuses into a message with a next move; our own mistakes pass.

    Raises:
        StorageError: it is locked, full, read-only, damaged, or cannot be reached.
        DataError: a text is none that can be stored.
    """
    try:
        yield
    except UnicodeEncodeError as error:
        hint = "Nothing was stored. Was it cut inside an emoji or a rare character?"
        raise DataError("a text holds half a character (an unpaired surrogate)", hint=hint) from error
    except NoFreeConnection as error:
        raise StorageError(f"{hidden(url)}: too many requests at once", hint="Try again in a moment.") from error
    except (DBAPIError, sqlite3.Error) as error:  # the latter where the driver was spoken to itself
        original = error.orig if isinstance(error, DBAPIError) else error
        refusal = _refusal(original)
        if refusal is None:
            raise
        said = str(original).strip().splitlines()[0]
        raise StorageError(f"{hidden(url)}: {refusal.found} ({said})", hint=refusal.hint) from error


def _refusal(original: BaseException | None) -> Refusal | None:
    if (code := getattr(original, "sqlite_errorcode", None)) is not None:
        return _SQLITE.get(code & 0xFF)
    if hasattr(original, "sqlstate"):
        state: str = getattr(original, "sqlstate", None) or "08"  # no state: there was no server to give one
        return _POSTGRES.get(state) or _POSTGRES.get(state[:2])
    return None
