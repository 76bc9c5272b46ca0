"""Times as pages show them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def when(milliseconds: int) -> str:
    """A time since 1970 to the minute, in UTC, as the log has it everywhere.

    >>> when(1_700_000_000_000)
    '2023-11-14 22:13 UTC'
    """
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    return f"{moment:%Y-%m-%d %H:%M} UTC"
