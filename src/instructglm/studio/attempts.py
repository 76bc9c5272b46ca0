"""Sign-in attempts: who fails too often has to wait."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from ipaddress import IPv6Address
from math import ceil
from threading import Lock

from fastapi import HTTPException, Request

MOST_OF_NAME = 8
MOST_OF_ADDRESS = 50
WITHIN_S = 900.0
_REMEMBERED = 10_000  # names and addresses; the oldest are forgotten first


class Attempts:
    """Failures by name and by address within the last quarter of an hour; threads may share it.

    Each attempt is counted before its password is looked at and taken back where
    it was right, so that many at once are not more than many in turn.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._failures: OrderedDict[tuple[str, str], list[float]] = OrderedDict()

    def begin(self, name: str, address: str) -> int | None:
        """Count an attempt; or the seconds to wait where there were too many: then it does not count."""
        now, limits = self._clock(), self._limits(name, address)
        with self._lock:
            waits = [wait for key, most in limits.items() if (wait := self._wait(key, most, now)) > 0]
            if waits:
                return ceil(max(waits))
            for key in limits:
                self._failures.setdefault(key, []).append(now)
                self._failures.move_to_end(key)
            while len(self._failures) > _REMEMBERED:
                self._failures.popitem(last=False)
        return None

    def succeeded(self, name: str, address: str) -> None:
        """The attempt was right: what failed before it under this name is forgotten."""
        by_name, by_address = self._limits(name, address)
        with self._lock:
            self._failures.pop(by_name, None)
            if held := self._failures.get(by_address):
                held.pop()

    def _limits(self, name: str, address: str) -> dict[tuple[str, str], int]:
        network = _network(address)
        return {("name", f"{name.strip()}\n{network}"): MOST_OF_NAME, ("address", network): MOST_OF_ADDRESS}

    def _wait(self, key: tuple[str, str], most: int, now: float) -> float:
        held = [at for at in self._failures.get(key, ()) if at > now - WITHIN_S]
        if key in self._failures:
            self._failures[key] = held
        return held[-most] + WITHIN_S - now if len(held) >= most else 0.0


def begin_attempt(request: Request, name: str) -> Callable[[], None]:
    """Count an attempt of whoever asks under this name; call what comes back where it was right.

    Raises:
        HTTPException: 429, too many failed.
    """
    attempts: Attempts = request.app.state.attempts
    address = request.client.host if request.client else ""
    if (wait_s := attempts.begin(name, address)) is not None:
        raise HTTPException(429, "too_many_attempts", {"Retry-After": str(wait_s)})
    return partial(attempts.succeeded, name, address)


def _network(address: str) -> str:
    """Whom an address counts as: of IPv6 its first 64 bits, behind which one household has all addresses.

    >>> _network("2001:db8::1"), _network("::ffff:192.0.2.7"), _network("192.0.2.7")
    ('2001:db8::', '192.0.2.7', '192.0.2.7')
    """
    try:
        found = IPv6Address(address)
    except ValueError:
        return address
    return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))
